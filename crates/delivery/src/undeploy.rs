//! Undeploy: nothing answers for an endpoint any more. What it answered can still be asked about.

use stemma_api::types::{EndpointDetail, Undeploy};
use stemma_core::{
    Problem, Refusal,
    event::Event,
    id::RequestId,
    name::{EndpointName, ProjectName},
};
use stemma_engine::Caller;

use crate::{Delivery, endpoint::REVISIONS, publish::republish_routes, revision::keeps_canary};

/// Longest reason, in bytes: every caller is told.
const REASON_BYTES_MAX: usize = 1000;

impl Delivery {
    /// Takes an endpoint down until something is deployed behind it again.
    pub async fn undeploy(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        endpoint: &EndpointName,
        undeploy: Undeploy,
    ) -> Result<EndpointDetail, Problem> {
        check_reason(&undeploy.reason)?;
        self.engine().change(caller, request, || self.undeploy_events(project, endpoint, &undeploy)).await?;
        republish_routes(self).await?;
        self.endpoint(caller, project, endpoint, None, REVISIONS).await
    }

    async fn undeploy_events(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        undeploy: &Undeploy,
    ) -> Result<Vec<Event>, Problem> {
        self.known().found_endpoint(project, endpoint).await?;
        if let Some(taken_down) = self.known().taken_down(endpoint).await? {
            let (actor, time) = (taken_down.fact.actor, taken_down.fact.time);
            return Err(Refusal::new(format!("endpoint `{endpoint}` was taken down by {actor} at {time}")).into());
        }
        let live = self.known().live_revision(endpoint).await?.revision;
        if !undeploy.end_canary {
            keeps_canary(&live, None)?;
        }
        let (project, endpoint) = (project.clone(), endpoint.clone());
        let (from, reason) = (live.number, undeploy.reason.clone());
        Ok(vec![Event::EndpointTakenDown { project, endpoint, from, reason, quarantine: None }])
    }
}

fn check_reason(reason: &str) -> Result<(), Problem> {
    if reason.trim().is_empty() {
        return Err(Problem::invalid("taking an endpoint down needs a reason").hint("callers will be told"));
    }
    if reason.len() > REASON_BYTES_MAX {
        return Err(Problem::invalid(format!("the reason is longer than {REASON_BYTES_MAX} bytes")));
    }
    Ok(())
}
