//! Who is asked about the data: the model, in this process, or a command on somebody's machine.

use std::sync::Arc;

use stemma_api::types::ModelVersion;
use stemma_core::{Digest, ErrorKind, Problem};
use stemma_onnx::Model;

use super::{
    evaluation::EvaluationData,
    inputs::{Fed, InputPlan},
};
use crate::Known;

/// The model, if content can be asked about the data in this process: it is ONNX, and its inputs can be fed.
pub(crate) async fn asked_here(
    known: &Known,
    digest: Digest,
    data: &EvaluationData,
) -> Result<Option<Arc<Model>>, Problem> {
    let model = match known.load_model(digest).await {
        Ok(model) => model,
        Err(problem) if is_no_model(&problem) => return Ok(None),
        Err(problem) => return Err(problem),
    };
    let can_be_fed = InputPlan::new(model.signature(), &data.table, &Fed::declared(&data.spec)).is_ok();
    // without a command the reason why it can't be fed is what has to be told
    Ok(Some(model).filter(|_| can_be_fed || data.spec.command.is_empty()))
}

/// Whether content is something else than a model of the kind that is run here.
const fn is_no_model(problem: &Problem) -> bool {
    matches!(problem.kind, ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::TooLarge)
}

/// The problem of content that a command must be asked about first.
pub(crate) fn not_answered(data: &EvaluationData) -> Problem {
    Problem::invalid(format!("this content can't be asked about {} here", data.name)).hint(
        "`stemma register` and `stemma evaluate` run the `command` of the evaluation, and send what it answers; the \
         server runs nobody's code",
    )
}

/// The model of a version, to be asked about the data in this process; the problem says why that can't be.
pub(crate) async fn model_of(
    known: &Known,
    version: &ModelVersion,
    data: &EvaluationData,
) -> Result<Arc<Model>, Problem> {
    if let Some(model) = asked_here(known, version.digest, data).await? {
        return Ok(model);
    }
    if data.spec.command.is_empty() {
        return known.load_version(version).await;
    }
    Err(Problem::invalid(format!("{} can't be asked about {} here", version.name(), data.name))
        .hint(format!("`stemma evaluate {}` runs the declared command for it", version.name())))
}
