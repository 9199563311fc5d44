//! What answered then, loaded again: the graph of a record's arm, with the overrides of its revision.

use stemma_core::{
    ErrorKind, Problem,
    endpoint::{
        prediction::{LoggedTensor, PredictionRecord},
        target::Target,
    },
};
use stemma_engine::{Known, problem::internal};
use stemma_gateway::Program;
use stemma_tensor::{Tensor, logged};

use crate::publish::{in_process, load_models};

/// Loads what answered a request.
pub(crate) async fn load_again(known: &Known, record: &PredictionRecord) -> Result<Program, Problem> {
    let revision = known.revision_by_digest(record).await?.revision;
    let name = record.arm.as_ref().map(|arm| arm.name.as_str()).unwrap_or_default();
    let arm = revision.arm(name).ok_or_else(|| {
        let message = format!("revision {}#{} has no arm `{name}`", record.endpoint, record.revision);
        Problem::new(ErrorKind::Corrupt, message)
    })?;
    let targets: Vec<&Target> = arm.graph.targets().collect();
    let models = load_models(known, &targets).await?;
    let load = |target: &Target| in_process(&models, target);
    Program::load(&arm.graph, &revision.overrides, &load).map_err(internal)
}

/// The recorded input as it was asked.
pub(crate) fn recorded_inputs(inputs: &[LoggedTensor]) -> Result<Vec<(String, Tensor)>, Problem> {
    logged::to_tensors(inputs)
        .map_err(|error| Problem::new(ErrorKind::Corrupt, format!("the recorded input can't be read: {error}")))
}
