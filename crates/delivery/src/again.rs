//! What answered then, loaded again: the graph of a record's arm, with the overrides of its revision.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use stemma_core::{
    Digest, ErrorKind, Problem,
    endpoint::{
        graph::Graph,
        prediction::{LoggedTensor, PredictionRecord},
        target::Target,
    },
    name::ModelName,
    version::VersionNumber,
};
use stemma_engine::{Known, problem::internal};
use stemma_gateway::{Program, Runtime};
use stemma_onnx::Model;
use stemma_tensor::{Tensor, logged};

use crate::publish::{in_process, load_models};

/// A model that is asked in the place of a version.
pub(crate) struct StandIn {
    pub model: ModelName,
    pub version: VersionNumber,
    pub with: Arc<Model>,
}

impl StandIn {
    fn is_for(&self, target: &Target) -> bool {
        target.model == self.model && target.version == self.version
    }
}

/// Loads what answered a request.
pub(crate) async fn load_again(known: &Known, record: &PredictionRecord) -> Result<Program, Problem> {
    load(known, record, None).await
}

/// The same with another model in the place of a version.
pub(crate) async fn load_with(
    known: &Known,
    record: &PredictionRecord,
    stand_in: &StandIn,
) -> Result<Program, Problem> {
    load(known, record, Some(stand_in)).await
}

async fn load(known: &Known, record: &PredictionRecord, stand_in: Option<&StandIn>) -> Result<Program, Problem> {
    let Some(revision) = known.revision_that_answered(record).await? else {
        return load_reported(known, record, stand_in).await;
    };
    let revision = revision.revision;
    let name = record.arm.as_ref().map(|arm| arm.name.as_str()).unwrap_or_default();
    let arm = revision.arm(name).ok_or_else(|| {
        let message = format!("revision {}#{} has no arm `{name}`", record.endpoint, record.revision);
        Problem::new(ErrorKind::Corrupt, message)
    })?;
    let targets: Vec<&Target> = arm.graph.targets().collect();
    let models = models_of(known, &targets, stand_in).await?;
    let load = |target: &Target| answering(&models, stand_in, target);
    Program::load(&arm.graph, &revision.overrides, &load).map_err(internal)
}

/// The models of versions that nothing stands in for.
async fn models_of(
    known: &Known,
    targets: &[&Target],
    stand_in: Option<&StandIn>,
) -> Result<HashMap<Digest, Arc<Model>>, Problem> {
    let others = targets.iter().copied().filter(|target| !stand_in.is_some_and(|one| one.is_for(target)));
    load_models(known, &others.collect::<Vec<_>>()).await
}

fn answering(
    models: &HashMap<Digest, Arc<Model>>,
    stand_in: Option<&StandIn>,
    target: &Target,
) -> Result<Arc<dyn Runtime>, &'static str> {
    match stand_in.filter(|one| one.is_for(target)) {
        Some(one) => Ok(Arc::clone(&one.with) as Arc<dyn Runtime>),
        None => in_process(models, target),
    }
}

/// Loads the version that is said to have answered elsewhere, if it is one that is run here.
async fn load_reported(
    known: &Known,
    record: &PredictionRecord,
    stand_in: Option<&StandIn>,
) -> Result<Program, Problem> {
    let no_version = || Problem::invalid("the record names no version");
    let node = record.nodes.last().ok_or_else(no_version)?;
    let (Some(model), Some(version), Some(digest)) = (node.model.clone(), node.version, node.what.digest()) else {
        return Err(no_version());
    };
    let target = Target { model, version, digest };
    let cannot = |why: String| {
        Problem::invalid(format!("`{target}` can't be run here, where the prediction was only reported: {why}"))
    };
    let models = models_of(known, &[&target], stand_in).await.map_err(|problem| cannot(problem.message))?;
    let model = answering(&models, stand_in, &target).map_err(|why| cannot(why.to_owned()))?;
    let graph = Graph::of_one(target.clone(), model.signature());
    let load = |target: &Target| answering(&models, stand_in, target);
    Program::load(&graph, &BTreeMap::new(), &load).map_err(|error| cannot(error.to_string()))
}

/// The recorded input as it was asked.
pub(crate) fn recorded_inputs(inputs: &[LoggedTensor]) -> Result<Vec<(String, Tensor)>, Problem> {
    logged::to_tensors(inputs)
        .map_err(|error| Problem::new(ErrorKind::Corrupt, format!("the recorded input can't be read: {error}")))
}
