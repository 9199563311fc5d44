//! An evaluation that was made before.

use stemma_core::{Digest, Problem, record::EvaluationReport};

use super::{evaluation::Evaluation, predictions};
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
