//! Publish: from the ledger's live revisions to the route table that the data plane answers from.

use std::{collections::HashMap, sync::Arc};

use stemma_api::types::{DeployedRevision, TakenDown};
use stemma_core::{Digest, Problem, route::standing, target::Target};
use stemma_gateway::{Endpoint, Routes, Runtime};
use stemma_onnx::Model;

use crate::{Engine, problem::internal};

/// Revisions before the live one that still answer whoever asks for them by number.
const EARLIER_MAX: usize = 3;

impl Engine {
    /// Builds the route table if nobody has yet; the data plane calls this before its answers. Commands that ask no
    /// endpoint load no model.
    pub async fn ensure_routes(&self) -> Result<(), Problem> {
        self.gateway().live().ensure(self.build_routes()).await
    }

    /// Builds the route table anew if it was built before. Requests are answered by the old one meanwhile.
    pub(crate) async fn republish_routes(&self) -> Result<(), Problem> {
        self.gateway().live().renew(self.build_routes()).await
    }

    /// Reads the live revisions from the ledger and loads their models. An endpoint whose model can't be loaded answers
    /// 503 and does not keep the others from being served.
    async fn build_routes(&self) -> Result<Routes, Problem> {
        let before = Arc::clone(&self.gateway().table().routes);
        let mut routes = Routes::default();
        for deployed in self.current_revisions().await? {
            let (name, project) = (deployed.revision.endpoint.clone(), deployed.revision.project.clone());
            for alarm in self.alarms(&deployed).await? {
                tracing::warn!(endpoint = %name, "{alarm}");
            }
            let earlier = self.load_earlier(&before, &deployed).await?;
            if !earlier.is_empty() {
                routes.earlier.insert(name.clone(), earlier);
            }
            match self.load_endpoint(&before, deployed).await {
                Ok(endpoint) => {
                    routes.endpoints.insert(name, endpoint);
                }
                Err(problem) => {
                    tracing::error!(endpoint = %name, %problem, "an endpoint can't be served");
                    routes.unavailable.insert(name, project);
                }
            }
        }
        for (project, endpoint, TakenDown { reason, fact, .. }) in self.all_taken_down().await? {
            let taken_down = stemma_gateway::table::TakenDown { project, time: fact.time, reason };
            routes.taken_down.insert(endpoint, taken_down);
        }
        Ok(routes)
    }

    /// The newest revisions that answered before the live one and were not abandoned. What can't be loaded is left out:
    /// nobody was promised it.
    async fn load_earlier(&self, before: &Routes, live: &DeployedRevision) -> Result<Vec<Arc<Endpoint>>, Problem> {
        let endpoint = &live.revision.endpoint;
        let standing = standing(&self.activated_revisions(endpoint).await?);
        let mut loaded = Vec::new();
        for number in standing.into_iter().rev().filter(|number| *number != live.revision.number).take(EARLIER_MAX) {
            if let Some(known) = before.revision(endpoint, number) {
                loaded.push(Arc::clone(known));
                continue;
            }
            let earlier = self.revision(endpoint, number).await?;
            loaded.extend(self.load_endpoint(before, earlier).await.ok());
        }
        Ok(loaded)
    }

    /// A revision never changes, so one that was loaded is taken over.
    async fn load_endpoint(&self, before: &Routes, deployed: DeployedRevision) -> Result<Arc<Endpoint>, Problem> {
        let known = before.revision(&deployed.revision.endpoint, deployed.revision.number);
        if let Some(known) = known.filter(|known| known.revision_digest() == deployed.digest) {
            return Ok(Arc::clone(known));
        }
        let models = self.load_models(&deployed.revision.route.targets()).await?;
        let load = |target: &Target| in_process(&models, target);
        let counters = self.gateway().counters();
        Endpoint::load(deployed.revision, deployed.digest, counters, &load).map(Arc::new).map_err(internal)
    }

    /// The models of some targets, by digest.
    pub(crate) async fn load_models(&self, targets: &[&Target]) -> Result<HashMap<Digest, Arc<Model>>, Problem> {
        let mut models = HashMap::new();
        for target in targets {
            models.insert(target.digest, self.load_model(target.digest).await?);
        }
        Ok(models)
    }
}

/// What answers for a target: its model, in this process.
pub(crate) fn in_process(
    models: &HashMap<Digest, Arc<Model>>,
    target: &Target,
) -> Result<Arc<dyn Runtime>, &'static str> {
    let model = models.get(&target.digest).ok_or("its model was not loaded")?;
    Ok(Arc::clone(model) as Arc<dyn Runtime>)
}
