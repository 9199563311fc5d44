//! Publish: from the ledger's live revisions to the route table that the data plane answers from.

use std::{collections::HashMap, sync::Arc};

use stemma_api::types::{DeployedRevision, TakenDown};
use stemma_core::{
    Digest, Problem,
    route::standing,
    target::Target,
};
use stemma_gateway::{Endpoint, RouteTable};
use stemma_onnx::Model;

use crate::{Engine, problem::internal};

/// Revisions before the live one that still answer whoever asks for them by number.
const EARLIER_MAX: usize = 3;

impl Engine {
    /// Builds the route table from the ledger and hands it to the gateway, whole. An endpoint whose model can't be
    /// loaded answers 503 and does not keep the others from being served.
    pub(crate) async fn publish_routes(&self) -> Result<(), Problem> {
        let before = self.gateway().table();
        let mut table = RouteTable::default();
        for deployed in self.current_revisions().await? {
            let (name, project) = (deployed.revision.endpoint.clone(), deployed.revision.project.clone());
            for alarm in self.alarms(&deployed).await? {
                tracing::warn!(endpoint = %name, "{alarm}");
            }
            let earlier = self.load_earlier(&before, &deployed).await?;
            if !earlier.is_empty() {
                table.earlier.insert(name.clone(), earlier);
            }
            match self.load_endpoint(&before, deployed).await {
                Ok(endpoint) => {
                    table.endpoints.insert(name, endpoint);
                }
                Err(problem) => {
                    tracing::error!(endpoint = %name, %problem, "an endpoint can't be served");
                    table.unavailable.insert(name, project);
                }
            }
        }
        for (project, endpoint, TakenDown { reason, fact, .. }) in self.all_taken_down().await? {
            let taken_down = stemma_gateway::table::TakenDown { project, time: fact.time, reason };
            table.taken_down.insert(endpoint, taken_down);
        }
        self.send_routes(table);
        Ok(())
    }

    /// The newest revisions that answered before the live one and were not abandoned. What can't be loaded is left out:
    /// nobody was promised it.
    async fn load_earlier(&self, before: &RouteTable, live: &DeployedRevision) -> Result<Vec<Arc<Endpoint>>, Problem> {
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
    async fn load_endpoint(&self, before: &RouteTable, deployed: DeployedRevision) -> Result<Arc<Endpoint>, Problem> {
        let known = before.revision(&deployed.revision.endpoint, deployed.revision.number);
        if let Some(known) = known.filter(|known| known.revision_digest() == deployed.digest) {
            return Ok(Arc::clone(known));
        }
        let models = self.load_models(&deployed.revision.route.targets()).await?;
        let load = |target: &Target| models.get(&target.digest).cloned().ok_or("its model was not loaded");
        Endpoint::load(deployed.revision, deployed.digest, &load).map(Arc::new).map_err(internal)
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
