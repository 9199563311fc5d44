//! Deploy: a new immutable revision answers for an endpoint from the moment it is committed.

use std::{collections::HashMap, sync::Arc};

use stemma_api::types::{Deploy, DeployedRevision, EndpointDetail, EndpointStats, ModelVersion};
use stemma_core::{
    Digest, Problem, Refusal, canonical,
    event::Event,
    id::RequestId,
    name::{EndpointName, ProjectName},
    near,
    policy::{Action, Stage},
    route::{Revision, Route, Target},
};
use stemma_gateway::{Endpoint, RouteTable};
use stemma_onnx::Model;

use crate::{Caller, Engine, problem::internal};

/// Predictions listed on an endpoint's page.
const RECENT: usize = 20;

impl Engine {
    /// Deploys a production version behind an endpoint, making the endpoint if there is none.
    pub async fn deploy(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        endpoint: &EndpointName,
        deploy: Deploy,
    ) -> Result<DeployedRevision, Problem> {
        let decide = || self.deployment_events(project, endpoint, &deploy);
        let events = self.change(caller, request, decide).await?;
        let deployed = events.iter().find_map(|event| match event {
            Event::RevisionDeployed { revision, .. } => Some(revision.number),
            _ => None,
        });
        let number = deployed.ok_or_else(|| Problem::invalid("this request id was used for something else"))?;
        self.republish_routes().await?;
        self.revision(endpoint, number).await
    }

    /// Only what was promoted to production may answer.
    async fn may_serve(&self, project: &ProjectName, version: &ModelVersion) -> Result<(), Problem> {
        if version.stage == Stage::Production {
            return Ok(());
        }
        let policy = self.policy_or_default(project, &version.model).await?;
        let missing = match self.promotion_grounds(project, version, &policy, Stage::Production).await {
            Ok(_) => vec!["its promotion: everything it needs is there".to_owned()],
            Err(problem) => problem.missing,
        };
        let name = version.name();
        Err(Refusal::new(format!("{name} is in {}, not in production", version.stage))
            .missing(missing)
            .hint(format!("`stemma promote {name} production`"))
            .into())
    }

    async fn deployment_events(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        deploy: &Deploy,
    ) -> Result<Vec<Event>, Problem> {
        let version = self.find_model_reference(project, &deploy.model).await?;
        self.may_serve(project, &version).await?;
        // it must load before anybody is sent to it
        self.load_model(version.digest).await?;
        let target = Target { model: version.model.clone(), version: version.number, digest: version.digest };
        let mut events = Vec::new();
        let (ordinal, number) = match self.endpoint_if_any(endpoint).await? {
            Some(found) if found.project != *project => {
                let message = format!("endpoint `{endpoint}` belongs to project `{}`", found.project);
                return Err(Refusal::new(message).hint("endpoint names are unique in a home; choose another").into());
            }
            Some(found) => (found.ordinal, found.revisions + 1),
            None => {
                let ordinal = self.next_endpoint_ordinal().await?;
                events.push(Event::EndpointCreated { project: project.clone(), endpoint: endpoint.clone(), ordinal });
                (ordinal, 1)
            }
        };
        let revision = Revision {
            v: 1,
            project: project.clone(),
            endpoint: endpoint.clone(),
            ordinal,
            number,
            route: Route::Single { target },
            signature: version.signature.clone(),
            salt: endpoint.to_string(),
            log: deploy.log,
        };
        let (digest, bytes) = canonical::digest(&revision).map_err(internal)?;
        self.put_content(project, bytes).await?;
        events.push(Event::RevisionDeployed { revision, digest, reason: deploy.reason.clone() });
        Ok(events)
    }

    /// Builds the route table from the ledger and hands it to the gateway, whole. An endpoint whose model can't be
    /// loaded answers 503 and does not keep the others from being served.
    pub(crate) async fn publish_routes(&self) -> Result<(), Problem> {
        let mut table = RouteTable { access: self.gateway_access(), ..RouteTable::default() };
        for deployed in self.current_revisions().await? {
            let (name, project) = (deployed.revision.endpoint.clone(), deployed.revision.project.clone());
            match self.load_endpoint(deployed).await {
                Ok(endpoint) => {
                    table.endpoints.insert(name, Arc::new(endpoint));
                }
                Err(problem) => {
                    tracing::error!(endpoint = %name, %problem, "an endpoint can't be served");
                    table.unavailable.insert(name, project);
                }
            }
        }
        self.send_routes(table);
        Ok(())
    }

    async fn load_endpoint(&self, deployed: DeployedRevision) -> Result<Endpoint, Problem> {
        let mut models: HashMap<Digest, Arc<Model>> = HashMap::new();
        for target in deployed.revision.route.targets() {
            models.insert(target.digest, self.load_model(target.digest).await?);
        }
        let load = |target: &Target| models.get(&target.digest).cloned().ok_or("its model was not loaded");
        Endpoint::load(deployed.revision, deployed.digest, &load).map_err(internal)
    }

    pub async fn endpoints(&self, caller: &Caller, project: &ProjectName) -> Result<Vec<EndpointDetail>, Problem> {
        let mut details = Vec::new();
        for name in self.endpoint_names(project).await? {
            details.push(self.endpoint(caller, project, &name).await?);
        }
        Ok(details)
    }

    pub async fn endpoint(
        &self,
        caller: &Caller,
        project: &ProjectName,
        endpoint: &EndpointName,
    ) -> Result<EndpointDetail, Problem> {
        let found = match self.endpoint_if_any(endpoint).await? {
            Some(found) if found.project == *project => found,
            _ => {
                let names = self.endpoint_names(project).await?;
                let hint =
                    near::hint(endpoint.as_str(), names.iter().map(EndpointName::as_str), "`stemma deploy` makes one");
                return Err(
                    Problem::not_found(format!("there is no endpoint `{endpoint}` in project `{project}`")).hint(hint)
                );
            }
        };
        let parts = self.sealed_parts(endpoint).await?;
        let may_see = caller.may(Action::ReadPredictions, Some(project)).is_ok();
        let recent = if may_see { self.recent_predictions(found.ordinal, RECENT).await? } else { Vec::new() };
        Ok(EndpointDetail {
            project: project.clone(),
            endpoint: endpoint.clone(),
            revisions: self.revisions(endpoint).await?,
            created: found.created,
            stats: self.endpoint_stats(endpoint),
            sealed_parts: parts.len() as u64,
            sealed_rows: parts.iter().map(|part| part.rows).sum(),
            recent,
        })
    }

    fn endpoint_stats(&self, endpoint: &EndpointName) -> EndpointStats {
        let Some(stats) = self.gateway().endpoint_stats(endpoint) else {
            return EndpointStats::default();
        };
        EndpointStats {
            requests: stats.requests(),
            errors: stats.errors(),
            latency_us_p50: stats.latency_us(0.5).unwrap_or(0),
            latency_us_p99: stats.latency_us(0.99).unwrap_or(0),
        }
    }
}
