//! Roll back: an earlier revision answers again, by one pointer.

use stemma_api::types::{DeployedRevision, Rollback};
use stemma_core::{
    Problem, Refusal,
    endpoint::revision::standing,
    event::Event,
    id::RequestId,
    name::{EndpointName, ProjectName},
    policy::Stage,
};
use stemma_engine::{Caller, Known};

use crate::{Delivery, publish::republish_routes, revision::keeps_canary, standing::not_kept_back};

impl Delivery {
    pub async fn roll_back(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        endpoint: &EndpointName,
        rollback: Rollback,
    ) -> Result<DeployedRevision, Problem> {
        let decide = || self.rollback_events(project, endpoint, &rollback);
        let events = self.engine().change(caller, request, decide).await?;
        let number = events.iter().find_map(|event| match event {
            Event::RevisionActivated { number, .. } => Some(*number),
            _ => None,
        });
        let number = number.ok_or_else(|| Problem::invalid("this request id was used for something else"))?;
        republish_routes(self).await?;
        self.known().revision(endpoint, number).await
    }

    async fn rollback_events(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        rollback: &Rollback,
    ) -> Result<Vec<Event>, Problem> {
        self.known().found_endpoint(project, endpoint).await?;
        let live = self.known().live_revision(endpoint).await?.revision;
        let from = live.number;
        let number = match rollback.to {
            Some(number) if number == from => {
                return Err(Refusal::new(format!("revision {endpoint}#{number} answers already")).into());
            }
            Some(number) => number,
            None => revision_before(self.known(), endpoint).await?,
        };
        let revision = self.known().revision(endpoint, number).await?;
        for target in revision.revision.targets() {
            let version = not_kept_back(self.known(), project, target).await?;
            if version.stage == Stage::Archived {
                let message = format!("{} of revision {endpoint}#{number} is archived", version.name());
                return Err(Refusal::new(message).hint("go back to another revision with `--to`").into());
            }
        }
        if !rollback.end_canary {
            keeps_canary(&live, Some(&revision.revision))?;
        }
        let (project, endpoint) = (project.clone(), endpoint.clone());
        Ok(vec![Event::RevisionActivated { project, endpoint, number, from, reason: rollback.reason.clone() }])
    }
}

async fn revision_before(known: &Known, endpoint: &EndpointName) -> Result<u32, Problem> {
    let standing = standing(&known.activated_revisions(endpoint).await?);
    match standing.as_slice() {
        [.., before, _] => Ok(*before),
        _ => Err(Refusal::new(format!("endpoint `{endpoint}` has no revision to go back to"))
            .hint(format!("`stemma endpoints {endpoint}` lists its revisions"))
            .into()),
    }
}
