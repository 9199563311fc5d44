//! An evaluation that was made before.

use stemma_api::types::ModelVersion;
use stemma_core::{Digest, Problem, event::EvidenceKind, name::ProjectName, record::EvaluationReport};

use super::{
    evaluation::{Evaluation, EvaluationData},
    predictions,
};
use crate::Known;

/// Longest stored file of predictions per row.
const PREDICTIONS_BYTES_MAX: u64 = 4 << 30;

/// A stored evaluation with its predictions per row.
pub(crate) async fn with_predictions(
    known: &Known,
    report_digest: Digest,
    report: EvaluationReport,
) -> Result<Evaluation, Problem> {
    let bytes = known.read_content(report.predictions, PREDICTIONS_BYTES_MAX).await?;
    Ok(Evaluation { predictions: predictions::read(bytes)?, report, report_digest })
}

/// The newest evaluation of a version on some data, made as it is declared and judged today.
pub(crate) async fn stored_evaluation(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
    data: &EvaluationData,
) -> Result<Option<(Digest, EvaluationReport)>, Problem> {
    for one in known.evidence(project, version).await?.iter().rev() {
        let is_of_data = one.data.as_ref() == Some(&data.name) && one.subject == version.digest;
        if one.kind != EvidenceKind::Evaluation || !is_of_data {
            continue;
        }
        let report = known.evaluation_report(one.report).await?;
        if report.is_current() && data.is_of(&report) {
            return Ok(Some((one.report, report)));
        }
    }
    Ok(None)
}
