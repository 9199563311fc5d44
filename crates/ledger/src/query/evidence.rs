//! What speaks for or against a version: evidence, approvals, promotions.

use stemma_core::{
    event::{Approved, EvidenceKind, EvidenceRecorded, Promoted},
    id::EvidenceId,
    name::{ModelName, ProjectName},
    policy::{PromotionGrounds, Stage},
    version::VersionNumber,
};

use super::{Fact, View, facts};
use crate::{
    LedgerError,
    sql::{Row, Value},
};

#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    pub evidence: EvidenceRecorded,
    pub recorded: Fact,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    pub approval: Approved,
    pub approved: Fact,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Promotion {
    pub promotion: Promoted,
    pub promoted: Fact,
}

impl View {
    /// All evidence about a version, oldest first.
    pub async fn evidence(
        &mut self,
        project: &ProjectName,
        model: &ModelName,
        version: VersionNumber,
    ) -> Result<Vec<Evidence>, LedgerError> {
        let sql = facts!("evidence", "AND x.project = $2 AND x.model = $3 AND x.number = $4 ORDER BY x.from_seq");
        self.current(sql, version_key(project, model, version), evidence).await
    }

    pub async fn evidence_by_id(&mut self, id: EvidenceId) -> Result<Option<Evidence>, LedgerError> {
        self.current_one(facts!("evidence", "AND x.evidence = $2"), [Value::text(id)], evidence).await
    }

    /// All approvals of a version, oldest first.
    pub async fn approvals(
        &mut self,
        project: &ProjectName,
        model: &ModelName,
        version: VersionNumber,
    ) -> Result<Vec<Approval>, LedgerError> {
        let sql = facts!("approval", "AND x.project = $2 AND x.model = $3 AND x.number = $4 ORDER BY x.from_seq");
        self.current(sql, version_key(project, model, version), approval).await
    }

    /// All promotions of a version, oldest first.
    pub async fn promotions(
        &mut self,
        project: &ProjectName,
        model: &ModelName,
        version: VersionNumber,
    ) -> Result<Vec<Promotion>, LedgerError> {
        let sql = facts!("promotion", "AND x.project = $2 AND x.model = $3 AND x.number = $4 ORDER BY x.from_seq");
        self.current(sql, version_key(project, model, version), promotion).await
    }
}

fn version_key(project: &ProjectName, model: &ModelName, version: VersionNumber) -> [Value; 3] {
    [Value::text(project), Value::text(model), Value::text(version)]
}

fn evidence(row: &Row) -> Result<Evidence, LedgerError> {
    let evidence = EvidenceRecorded {
        project: row.parse("project")?,
        evidence: row.parse("evidence")?,
        kind: row.word("kind", EvidenceKind::parse)?,
        model: row.parse("model")?,
        version: row.parse("number")?,
        subject: row.digest("subject")?,
        gate: row.opt_parse("gate")?,
        spec_digest: row.digest("spec_digest")?,
        passed: row.bool("passed")?,
        summary: row.text("summary")?.to_owned(),
        report: row.digest("report")?,
        data: row.opt_text("data")?.map(str::to_owned),
        leaky: row.bool("leaky")?,
    };
    Ok(Evidence { evidence, recorded: Fact::from_row(row)? })
}

fn approval(row: &Row) -> Result<Approval, LedgerError> {
    let approval = Approved {
        project: row.parse("project")?,
        approval: row.parse("approval")?,
        model: row.parse("model")?,
        version: row.parse("number")?,
        subject: row.digest("subject")?,
        stage: row.word("stage", Stage::parse)?,
        evidence: row.json("evidence")?,
        reason: row.text("reason")?.to_owned(),
    };
    Ok(Approval { approval, approved: Fact::from_row(row)? })
}

fn promotion(row: &Row) -> Result<Promotion, LedgerError> {
    let promotion = Promoted {
        project: row.parse("project")?,
        model: row.parse("model")?,
        version: row.parse("number")?,
        subject: row.digest("subject")?,
        from: row.word("from_stage", Stage::parse)?,
        to: row.word("to_stage", Stage::parse)?,
        grounds: PromotionGrounds { evidence: row.json("evidence")?, approvals: row.json("approvals")? },
        reason: row.text("reason")?.to_owned(),
    };
    Ok(Promotion { promotion, promoted: Fact::from_row(row)? })
}
