//! Models: policies, versions with their stages and aliases, and what speaks for or against a version.

use stemma_core::{
    event::{Approved, EvidenceRecorded, Promoted, VersionRegistered},
    name::{AliasName, ModelName, ProjectName},
    policy::{ModelPolicy, Stage},
    version::VersionNumber,
};

use super::{Rows, json};
use crate::{LedgerError, sql::Value};

pub(super) async fn policy_set(
    rows: &mut Rows<'_>,
    project: &ProjectName,
    model: &ModelName,
    policy: &ModelPolicy,
) -> Result<(), LedgerError> {
    // the first policy ends none
    rows.run(
        "UPDATE model_policy SET to_seq = $1 WHERE to_seq IS NULL AND project = $2 AND model = $3",
        [Value::text(project), Value::text(model)],
    )
    .await?;
    rows.insert(
        "INSERT INTO model_policy (project, model, policy, from_seq) VALUES ($2, $3, $4, $1)",
        [Value::text(project), Value::text(model), json(policy)?],
    )
    .await
}

pub(super) async fn registered(rows: &mut Rows<'_>, version: &VersionRegistered) -> Result<(), LedgerError> {
    let VersionNumber { major, minor, pipeline } = version.number;
    let values = [
        Value::text(&version.project),
        Value::text(&version.model),
        Value::text(version.number),
        major.into(),
        minor.into(),
        pipeline.into(),
        version.integer.into(),
        Value::text(version.step),
        Value::text(&version.reason),
        version.digest.into(),
        Value::opt_sha256(version.sha256),
        Value::count(version.size)?,
        Value::text(&version.file_name),
        Value::text(&version.format),
        json(&version.signature)?,
        Value::opt_text(version.run),
        Value::opt_text(version.trainer.as_ref()),
        Value::opt_text(version.reference),
        Value::opt_text(version.evaluation),
        Value::opt_text(version.target.as_ref()),
        version.facts.into(),
    ];
    rows.insert(
        "INSERT INTO model_version (project, model, number, major, minor, pipeline, mlflow_number, step, reason, digest,
            sha256, size, file_name, format, signature, run, trainer, reference, evaluation, target, facts, from_seq)
         VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $1)",
        values,
    )
    .await?;
    stage_entered(rows, &version.project, &version.model, version.number, Stage::default()).await
}

async fn stage_entered(
    rows: &mut Rows<'_>,
    project: &ProjectName,
    model: &ModelName,
    number: VersionNumber,
    stage: Stage,
) -> Result<(), LedgerError> {
    rows.insert(
        "INSERT INTO version_stage (project, model, number, stage, from_seq) VALUES ($2, $3, $4, $5, $1)",
        [Value::text(project), Value::text(model), Value::text(number), Value::text(stage)],
    )
    .await
}

pub(super) async fn evidence(rows: &mut Rows<'_>, evidence: &EvidenceRecorded) -> Result<(), LedgerError> {
    let values = [
        Value::text(evidence.evidence),
        Value::text(&evidence.project),
        evidence.kind.as_str().into(),
        Value::text(&evidence.model),
        Value::text(evidence.version),
        evidence.subject.into(),
        Value::opt_text(evidence.gate.as_ref()),
        evidence.spec_digest.into(),
        Value::bool(evidence.passed),
        Value::text(&evidence.summary),
        evidence.report.into(),
        Value::opt_text(evidence.data.as_ref()),
        Value::bool(evidence.leaky),
    ];
    rows.insert(
        "INSERT INTO evidence (evidence, project, kind, model, number, subject, gate, spec_digest, passed, summary,
            report, data, leaky, from_seq) VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $1)",
        values,
    )
    .await
}

pub(super) async fn approved(rows: &mut Rows<'_>, approved: &Approved) -> Result<(), LedgerError> {
    let values = [
        Value::text(approved.approval),
        Value::text(&approved.project),
        Value::text(&approved.model),
        Value::text(approved.version),
        approved.subject.into(),
        Value::text(approved.stage),
        json(&approved.evidence)?,
        Value::text(&approved.reason),
    ];
    rows.insert(
        "INSERT INTO approval (approval, project, model, number, subject, stage, evidence, reason, from_seq)
         VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $1)",
        values,
    )
    .await
}

pub(super) async fn promoted(rows: &mut Rows<'_>, promoted: &Promoted) -> Result<(), LedgerError> {
    let Promoted { project, model, version, .. } = promoted;
    rows.end(
        "UPDATE version_stage SET to_seq = $1
         WHERE to_seq IS NULL AND project = $2 AND model = $3 AND number = $4 AND stage = $5",
        [Value::text(project), Value::text(model), Value::text(version), Value::text(promoted.from)],
    )
    .await?;
    stage_entered(rows, project, model, *version, promoted.to).await?;
    let values = [
        Value::text(project),
        Value::text(model),
        Value::text(version),
        promoted.subject.into(),
        Value::text(promoted.from),
        Value::text(promoted.to),
        json(&promoted.grounds.evidence)?,
        json(&promoted.grounds.approvals)?,
        Value::text(&promoted.reason),
    ];
    rows.insert(
        "INSERT INTO promotion (project, model, number, subject, from_stage, to_stage, evidence, approvals, reason,
            from_seq) VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $10, $1)",
        values,
    )
    .await
}

pub(super) async fn alias_moved(
    rows: &mut Rows<'_>,
    project: &ProjectName,
    model: &ModelName,
    alias: &AliasName,
    from: Option<VersionNumber>,
    to: VersionNumber,
) -> Result<(), LedgerError> {
    if let Some(from) = from {
        rows.end(
            "UPDATE model_alias SET to_seq = $1
             WHERE to_seq IS NULL AND project = $2 AND model = $3 AND alias = $4 AND number = $5",
            [Value::text(project), Value::text(model), Value::text(alias), Value::text(from)],
        )
        .await?;
    }
    rows.insert(
        "INSERT INTO model_alias (project, model, alias, number, from_seq) VALUES ($2, $3, $4, $5, $1)",
        [Value::text(project), Value::text(model), Value::text(alias), Value::text(to)],
    )
    .await
}
