//! Publish: from the ledger's live revisions to the route table that the data plane answers from.

use std::{collections::HashMap, sync::Arc};

use stemma_api::types::{DeployedRevision, TakenDown};
use stemma_core::{
    Digest, Problem,
    endpoint::{revision::standing, target::Target},
};
use stemma_engine::{Known, problem::internal, resolve::find_version};
use stemma_gateway::{Endpoint, Routes, Runtime};
use stemma_onnx::Model;

use crate::{Delivery, endpoint::alarms};

/// Revisions before the live one that still answer whoever asks for them by number.
const EARLIER_MAX: usize = 3;

impl Delivery {
    /// Builds the route table if nobody has yet; the data plane calls this before its answers. Commands that ask no
    /// endpoint load no model.
    pub async fn ensure_routes(&self) -> Result<(), Problem> {
        self.gateway().live().ensure(build_routes(self)).await
    }
}

/// Builds the route table anew if it was built before. Requests are answered by the old one meanwhile.
pub(crate) async fn republish_routes(delivery: &Delivery) -> Result<(), Problem> {
    delivery.gateway().live().renew(build_routes(delivery)).await
}

/// Reads the live revisions from the ledger and loads their models. An endpoint whose model can't be loaded answers
/// 503 and does not keep the others from being served.
async fn build_routes(delivery: &Delivery) -> Result<Routes, Problem> {
    let before = Arc::clone(&delivery.gateway().table().routes);
    let mut routes = Routes::default();
    for deployed in delivery.known().current_revisions().await? {
        let (name, project) = (deployed.revision.endpoint.clone(), deployed.revision.project.clone());
        for alarm in alarms(delivery.known(), &deployed).await? {
            tracing::warn!(endpoint = %name, "{alarm}");
        }
        let earlier = load_earlier(delivery, &before, &deployed).await?;
        if !earlier.is_empty() {
            routes.earlier.insert(name.clone(), earlier);
        }
        match load_endpoint(delivery, &before, deployed).await {
            Ok(endpoint) => {
                routes.endpoints.insert(name, endpoint);
            }
            Err(problem) => {
                tracing::error!(endpoint = %name, %problem, "an endpoint can't be served");
                routes.unavailable.insert(name, project);
            }
        }
    }
    for (project, endpoint, TakenDown { reason, quarantine, fact, .. }) in delivery.known().all_taken_down().await? {
        let taken_down = stemma_gateway::table::TakenDown { project, time: fact.time, reason, quarantine };
        routes.taken_down.insert(endpoint, taken_down);
    }
    Ok(routes)
}

/// The newest revisions that answered before the live one and were not abandoned. What can't be loaded or is in quarantine
/// is left out: nobody was promised it.
async fn load_earlier(
    delivery: &Delivery,
    before: &Routes,
    live: &DeployedRevision,
) -> Result<Vec<Arc<Endpoint>>, Problem> {
    let endpoint = &live.revision.endpoint;
    let standing = standing(&delivery.known().activated_revisions(endpoint).await?);
    let mut loaded = Vec::new();
    for number in standing.into_iter().rev().filter(|number| *number != live.revision.number).take(EARLIER_MAX) {
        let earlier = delivery.known().revision(endpoint, number).await?;
        if is_kept_back(delivery.known(), &earlier).await? {
            continue;
        }
        if let Some(known) = before.revision(endpoint, number) {
            loaded.push(Arc::clone(known));
            continue;
        }
        loaded.extend(load_endpoint(delivery, before, earlier).await.ok());
    }
    Ok(loaded)
}

async fn is_kept_back(known: &Known, earlier: &DeployedRevision) -> Result<bool, Problem> {
    for target in earlier.revision.targets() {
        let number = target.version.to_string();
        if find_version(known, &earlier.revision.project, &target.model, &number).await?.quarantine.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A revision never changes, so one that was loaded is taken over.
async fn load_endpoint(
    delivery: &Delivery,
    before: &Routes,
    deployed: DeployedRevision,
) -> Result<Arc<Endpoint>, Problem> {
    let known = before.revision(&deployed.revision.endpoint, deployed.revision.number);
    if let Some(known) = known.filter(|known| known.revision_digest() == deployed.digest) {
        return Ok(Arc::clone(known));
    }
    let models = load_models(delivery.known(), &deployed.revision.targets()).await?;
    let load = |target: &Target| in_process(&models, target);
    let counters = delivery.gateway().counters();
    Endpoint::load(deployed.revision, deployed.digest, counters, &load).map(Arc::new).map_err(internal)
}

/// The models of some targets, by digest.
pub(crate) async fn load_models(known: &Known, targets: &[&Target]) -> Result<HashMap<Digest, Arc<Model>>, Problem> {
    let mut models = HashMap::new();
    for target in targets {
        models.insert(target.digest, known.load_model(target.digest).await?);
    }
    Ok(models)
}

/// What answers for a target: its model, in this process.
pub(crate) fn in_process(
    models: &HashMap<Digest, Arc<Model>>,
    target: &Target,
) -> Result<Arc<dyn Runtime>, &'static str> {
    let model = models.get(&target.digest).ok_or("its model was not loaded")?;
    Ok(Arc::clone(model) as Arc<dyn Runtime>)
}
