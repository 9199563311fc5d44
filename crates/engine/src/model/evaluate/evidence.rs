//! An evaluation as a fact of a version.

use stemma_core::{
    event::{Event, EvidenceKind, EvidenceRecorded},
    id::EvidenceId,
    name::{ModelName, ProjectName},
    record::BY_COMMAND,
    version::VersionNumber,
};

use super::evaluation::{Evaluation, EvaluationData};

/// Whether a command answered: the ledger keeps this in the line for people alone, behind the number of rows.
pub fn is_by_command(evidence: &EvidenceRecorded) -> bool {
    let by = format!(" rows){BY_COMMAND}");
    evidence.kind == EvidenceKind::Evaluation && evidence.summary.contains(&by)
}

/// The evidence of an evaluation; it passed if every row was fair to evaluate on.
pub fn evidence_event(
    evidence: EvidenceId,
    project: &ProjectName,
    model: &ModelName,
    version: VersionNumber,
    data: &EvaluationData,
    evaluation: &Evaluation,
) -> Event {
    let report = &evaluation.report;
    let shown = match report.primary_value() {
        Some(value) => format!("{} {value:.4}", report.primary),
        None => report.why_undefined(&report.primary),
    };
    let mut summary = format!("{shown} on {} ({} rows){}", report.data, report.overall.rows(), report.by());
    if report.is_leaky() {
        summary.push_str(&format!(", {} leaky rows left out", report.leaky_rows));
    }
    if let Some(doubt) = report.leak_doubt() {
        summary.push_str(&format!("; {doubt}"));
    }
    if let Some(told) = report.search.as_ref().and_then(|search| search.without_target(&report.data)) {
        summary.push_str(&format!("; {told}"));
    }
    Event::EvidenceRecorded(EvidenceRecorded {
        project: project.clone(),
        evidence,
        kind: EvidenceKind::Evaluation,
        model: model.clone(),
        version,
        subject: report.model_digest,
        gate: None,
        spec_digest: data.spec_digest(),
        passed: !report.is_leaky(),
        summary,
        report: evaluation.report_digest,
        data: Some(report.data.clone()),
        leaky: report.is_leaky(),
        metrics: Some(report.overall.all()),
    })
}
