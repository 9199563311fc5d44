//! What answered then, loaded again: the graph of a record's arm, with the overrides of its revision.

use std::collections::BTreeMap;

use stemma_core::{
    ErrorKind, Problem,
    endpoint::{
        graph::Graph,
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
    let Some(revision) = known.revision_that_answered(record).await? else { return load_reported(known, record).await };
    let revision = revision.revision;
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

/// Loads the version that is said to have answered elsewhere, if it is one that is run here.
async fn load_reported(known: &Known, record: &PredictionRecord) -> Result<Program, Problem> {
    let no_version = || Problem::invalid("the record names no version");
    let node = record.nodes.last().ok_or_else(no_version)?;
    let (Some(model), Some(version), Some(digest)) = (node.model.clone(), node.version, node.what.digest()) else {
        return Err(no_version());
    };
    let target = Target { model, version, digest };
    let cannot = |why: String| {
        Problem::invalid(format!("`{target}` can't be run here, where the prediction was only reported: {why}"))
    };
    let models = load_models(known, &[&target]).await.map_err(|problem| cannot(problem.message))?;
    let model = models.get(&digest).ok_or_else(|| cannot("it was not loaded".to_owned()))?;
    let graph = Graph::of_one(target.clone(), model.signature());
    let load = |target: &Target| in_process(&models, target);
    Program::load(&graph, &BTreeMap::new(), &load).map_err(|error| cannot(error.to_string()))
}

/// The recorded input as it was asked.
pub(crate) fn recorded_inputs(inputs: &[LoggedTensor]) -> Result<Vec<(String, Tensor)>, Problem> {
    logged::to_tensors(inputs)
        .map_err(|error| Problem::new(ErrorKind::Corrupt, format!("the recorded input can't be read: {error}")))
}
