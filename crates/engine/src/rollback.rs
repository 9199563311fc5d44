//! Roll back: an earlier revision answers again, by one pointer.

use stemma_api::types::{DeployedRevision, Rollback};
use stemma_core::{
    Problem, Refusal,
    event::Event,
    id::RequestId,
    name::{EndpointName, ProjectName},
    policy::Stage,
    route::standing,
};

use crate::{Caller, Engine, rollout::keeps_canary};

impl Engine {
    pub async fn roll_back(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        endpoint: &EndpointName,
        rollback: Rollback,
    ) -> Result<DeployedRevision, Problem> {
        let decide = || self.rollback_events(project, endpoint, &rollback);
        let events = self.change(caller, request, decide).await?;
        let number = events.iter().find_map(|event| match event {
            Event::RevisionActivated { number, .. } => Some(*number),
            _ => None,
        });
        let number = number.ok_or_else(|| Problem::invalid("this request id was used for something else"))?;
        self.republish_routes().await?;
        self.revision(endpoint, number).await
    }

    async fn rollback_events(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        rollback: &Rollback,
    ) -> Result<Vec<Event>, Problem> {
        self.found_endpoint(project, endpoint).await?;
        let live = self.live_revision(endpoint).await?.revision;
        let from = live.number;
        let number = match rollback.to {
            Some(number) if number == from => {
                return Err(Refusal::new(format!("revision {endpoint}#{number} answers already")).into());
            }
            Some(number) => number,
            None => self.revision_before(endpoint).await?,
        };
        let revision = self.revision(endpoint, number).await?;
        for target in revision.revision.route.targets() {
            let version = self.find_version(project, &target.model, &target.version.to_string()).await?;
            if version.stage == Stage::Archived {
                let message = format!("{} of revision {endpoint}#{number} is archived", version.name());
                return Err(Refusal::new(message).hint("go back to another revision with `--to`").into());
            }
        }
        if !rollback.end_canary {
            keeps_canary(&live, Some(&revision.revision.route))?;
        }
        let (project, endpoint) = (project.clone(), endpoint.clone());
        Ok(vec![Event::RevisionActivated { project, endpoint, number, from, reason: rollback.reason.clone() }])
    }

    async fn revision_before(&self, endpoint: &EndpointName) -> Result<u32, Problem> {
        let standing = standing(&self.activated_revisions(endpoint).await?);
        match standing.as_slice() {
            [.., before, _] => Ok(*before),
            _ => Err(Refusal::new(format!("endpoint `{endpoint}` has no revision to go back to"))
                .hint(format!("`stemma endpoints {endpoint}` lists its revisions"))
                .into()),
        }
    }
}
