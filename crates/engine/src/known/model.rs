//! Models, their versions, and what was found and decided about them.

use std::collections::BTreeMap;

use stemma_api::types::{
    Approval, Evidence, Fact, InQuarantine, ModelSummary, ModelVersion, Page, PolicyState, Promotion,
};
use stemma_core::{
    Digest, ErrorKind, Problem,
    behaviour::Behaviour,
    canonical,
    endpoint::{graph::LetIn, target::Target},
    event::EvidenceKind,
    id::RunId,
    meaning::Thing,
    name::{AliasName, ModelName, ProjectName},
    policy::{ModelPolicy, Stage},
    record::EvaluationReport,
    version::VersionNumber,
};
use stemma_ledger::{Recorded, VersionRow, WhichVersion};

use super::sources::{Known, fact};
use crate::problem::{internal, ledger_problem};

/// Longest stored report.
const REPORT_BYTES_MAX: u64 = 64 << 20;

impl Known {
    /// All models of a project, oldest first.
    pub async fn models(&self, project: &ProjectName) -> Result<Vec<ModelSummary>, Problem> {
        let mut summaries = Vec::new();
        for row in self.facts().models(project).await.map_err(ledger_problem)? {
            summaries.push(self.model_summary(project, row).await?);
        }
        Ok(summaries)
    }

    pub async fn model_names(&self, project: &ProjectName) -> Result<Vec<ModelName>, Problem> {
        let rows = self.facts().models(project).await.map_err(ledger_problem)?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    }

    /// A page of them. People name models, so their names are read at once, and what each is only for the page.
    pub async fn page_of_models(
        &self,
        project: &ProjectName,
        cursor: Option<u64>,
        limit: u32,
    ) -> Result<Page<ModelSummary>, Problem> {
        let rows = self.facts().models(project).await.map_err(ledger_problem)?.into_iter();
        let behind = rows.filter(|row| cursor.is_none_or(|cursor| row.fact.seq > cursor)).collect();
        let page = Page::of(behind, limit, |last: &Recorded<ModelName>| last.fact.seq);
        let mut items = Vec::with_capacity(page.items.len());
        for row in page.items {
            items.push(self.model_summary(project, row).await?);
        }
        Ok(Page { items, next: page.next })
    }

    async fn model_summary(&self, project: &ProjectName, row: Recorded<ModelName>) -> Result<ModelSummary, Problem> {
        let versions = self.versions_if_any(project, &row.value).await?.unwrap_or_default();
        Ok(summary(row.value, &versions, fact(row.fact)))
    }

    pub async fn model_summary_if_any(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Option<ModelSummary>, Problem> {
        let rows = self.facts().models(project).await.map_err(ledger_problem)?;
        match rows.into_iter().find(|row| row.value == *model) {
            Some(row) => self.model_summary(project, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// All versions, oldest first; `None` if there is no such model.
    pub async fn versions_if_any(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Option<Vec<ModelVersion>>, Problem> {
        let rows = self.facts().versions(project, model).await.map_err(ledger_problem)?;
        Ok(rows.map(|rows| rows.into_iter().map(model_version).collect()))
    }

    /// One version, if there is it.
    pub async fn version_if_any(
        &self,
        project: &ProjectName,
        model: &ModelName,
        which: WhichVersion<'_>,
    ) -> Result<Option<ModelVersion>, Problem> {
        let row = self.facts().version(project, model, which).await.map_err(ledger_problem)?;
        Ok(row.map(model_version))
    }

    pub async fn version_by_facts(
        &self,
        project: &ProjectName,
        model: &ModelName,
        facts: Digest,
    ) -> Result<Option<ModelVersion>, Problem> {
        let mut numbers = self.facts().versions_by_facts(project, model, facts).await.map_err(ledger_problem)?;
        match numbers.pop() {
            // the newest: it is the one with a credential, if there is one
            Some(number) => self.version_if_any(project, model, WhichVersion::Numbered(number)).await,
            None => Ok(None),
        }
    }

    pub async fn versions_of_run(&self, project: &ProjectName, run: RunId) -> Result<Vec<String>, Problem> {
        let versions = self.facts().versions_of_run(project, run).await.map_err(ledger_problem)?;
        Ok(versions.iter().map(|version| format!("{}@{}", version.model, version.number)).collect())
    }

    pub async fn alias_target(
        &self,
        project: &ProjectName,
        model: &ModelName,
        alias: &AliasName,
    ) -> Result<Option<VersionNumber>, Problem> {
        let target = self.version_if_any(project, model, WhichVersion::Alias(alias.as_str())).await?;
        Ok(target.map(|version| version.number))
    }

    pub async fn policy(&self, project: &ProjectName, model: &ModelName) -> Result<PolicyState, Problem> {
        let policy = self.policy_or_default(project, model).await?;
        let policy = self.declarable(project, &Thing::Model(model.clone()), policy).await?;
        Ok(PolicyState { policy, changed: false })
    }

    /// The rules that a version may answer by: those under which it was promoted to production, or those of now.
    pub async fn let_in(&self, project: &ProjectName, target: &Target) -> Result<LetIn, Problem> {
        let promoted = self.facts().promotions(project, &target.model, target.version).await.map_err(ledger_problem)?;
        let promoted = promoted.into_iter().filter(|one| one.value.to == Stage::Production);
        let promotion = promoted.map(|one| one.fact.seq).max();
        let then = promotion.map_or_else(|| self.facts(), |seq| self.ledger().after(seq));
        let policy = then.policy(project, &target.model).await.map_err(ledger_problem)?.unwrap_or_default();
        let (policy, _) = canonical::digest(&policy).map_err(internal)?;
        Ok(LetIn { policy, promotion })
    }

    pub async fn policy_or_default(&self, project: &ProjectName, model: &ModelName) -> Result<ModelPolicy, Problem> {
        Ok(self.facts().policy(project, model).await.map_err(ledger_problem)?.unwrap_or_default())
    }

    /// All evidence of a version, oldest first.
    pub async fn evidence(&self, project: &ProjectName, version: &ModelVersion) -> Result<Vec<Evidence>, Problem> {
        let rows = self.facts().evidence(project, &version.model, version.number).await.map_err(ledger_problem)?;
        let evidence = |row: Recorded<stemma_core::event::EvidenceRecorded>| Evidence {
            evidence: row.value.evidence,
            kind: row.value.kind,
            gate: row.value.gate,
            subject: row.value.subject,
            spec_digest: row.value.spec_digest,
            passed: row.value.passed,
            summary: row.value.summary,
            report: row.value.report,
            data: row.value.data,
            leaky: row.value.leaky,
            recorded: fact(row.fact),
        };
        Ok(rows.into_iter().map(evidence).collect())
    }

    pub async fn newest_evaluation_report(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
    ) -> Result<Option<EvaluationReport>, Problem> {
        let evidence = self.evidence(project, version).await?;
        let ours = |one: &&Evidence| one.kind == EvidenceKind::Evaluation && one.subject == version.digest;
        let Some(newest) = evidence.iter().rev().find(ours) else {
            return Ok(None);
        };
        let what = format!("the evaluation of {} by {}", version.name(), newest.recorded.actor);
        let bytes = self.read_shown(newest.report, REPORT_BYTES_MAX, &what).await?;
        bytes.map(|bytes| evaluation_in(&bytes)).transpose()
    }

    pub async fn evaluation_report(&self, digest: Digest) -> Result<EvaluationReport, Problem> {
        evaluation_in(&self.read_content(digest, REPORT_BYTES_MAX).await?)
    }

    /// The earlier version that a version was found to answer as.
    pub async fn behaviour(&self, project: &ProjectName, version: &ModelVersion) -> Result<Option<Behaviour>, Problem> {
        let evidence = self.evidence(project, version).await?;
        let ours = |one: &&Evidence| one.kind == EvidenceKind::Behaviour && one.subject == version.digest;
        let Some(newest) = evidence.iter().rev().find(ours) else {
            return Ok(None);
        };
        let what = format!("how {} behaves", version.name());
        let bytes = self.read_shown(newest.report, REPORT_BYTES_MAX, &what).await?;
        let read = |bytes: Vec<u8>| {
            serde_json::from_slice(&bytes).map_err(|error| {
                Problem::new(ErrorKind::Corrupt, format!("what is stored of {what} can't be read: {error}"))
            })
        };
        bytes.map(read).transpose()
    }

    pub async fn approvals(&self, project: &ProjectName, version: &ModelVersion) -> Result<Vec<Approval>, Problem> {
        let rows = self.facts().approvals(project, &version.model, version.number).await.map_err(ledger_problem)?;
        let approval = |row: Recorded<stemma_core::event::Approved>| Approval {
            approval: row.value.approval,
            stage: row.value.stage,
            subject: row.value.subject,
            evidence: row.value.evidence,
            reason: row.value.reason,
            card: row.value.card,
            approved: fact(row.fact),
        };
        Ok(rows.into_iter().map(approval).collect())
    }

    pub async fn promotions(&self, project: &ProjectName, version: &ModelVersion) -> Result<Vec<Promotion>, Problem> {
        let rows = self.facts().promotions(project, &version.model, version.number).await.map_err(ledger_problem)?;
        let promotion = |row: Recorded<stemma_core::event::Promoted>| Promotion {
            from: row.value.from,
            to: row.value.to,
            evidence: row.value.grounds.evidence,
            approvals: row.value.grounds.approvals,
            unknown: row.value.grounds.unknown,
            exchanged_with: row.value.exchanged_with,
            reason: row.value.reason,
            promoted: fact(row.fact),
        };
        Ok(rows.into_iter().map(promotion).collect())
    }
}

fn evaluation_in(bytes: &[u8]) -> Result<EvaluationReport, Problem> {
    serde_json::from_slice(bytes)
        .map_err(|error| Problem::new(ErrorKind::Corrupt, format!("a stored evaluation can't be read: {error}")))
}

fn model_version(row: Recorded<VersionRow>) -> ModelVersion {
    let version = row.value.version;
    ModelVersion {
        project: version.project,
        model: version.model,
        number: version.number,
        integer: version.integer,
        step: version.step,
        reason: version.reason,
        digest: version.digest,
        sha256: version.sha256,
        size: version.size,
        file_name: version.file_name,
        format: version.format,
        look: version.look,
        signature: version.signature,
        contract: version.contract.unwrap_or_default(),
        claims: version.claims,
        run: version.run,
        trainer: version.trainer,
        reference: version.reference,
        comparison: version.comparison,
        target: version.target,
        stage: row.value.stage,
        aliases: row.value.aliases,
        names: row.value.names,
        quarantine: row.value.quarantine.map(|one| InQuarantine { reason: one.value, since: fact(one.fact) }),
        registered: fact(row.fact),
    }
}

fn summary(model: ModelName, versions: &[ModelVersion], created: Fact) -> ModelSummary {
    let mut aliases = BTreeMap::new();
    for version in versions {
        aliases.extend(version.aliases.iter().map(|alias| (alias.clone(), version.number)));
    }
    let production = versions.iter().filter(|version| version.stage == Stage::Production);
    ModelSummary {
        model,
        versions: versions.len() as u64,
        newest: versions.last().map(|version| version.number),
        aliases,
        production: production.map(|version| version.number).collect(),
        quarantined: versions.iter().filter(|one| one.quarantine.is_some()).map(|version| version.number).collect(),
        created,
    }
}
