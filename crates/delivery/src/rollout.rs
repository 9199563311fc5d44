//! Roll out: a canary's share grows, or it takes over, or it goes; each time by a new revision.

use stemma_api::types::{ChangeRollout, DeployedRevision, RolloutAct};
use stemma_core::{
    Problem, Refusal,
    event::Event,
    id::RequestId,
    name::{EndpointName, ProjectName},
    route::{Revision, Route},
};
use stemma_engine::Caller;

use crate::{
    Delivery,
    deploy::{deployed_number, revision_event},
    publish::republish_routes,
    standing::{may_serve, may_try},
};

impl Delivery {
    pub async fn change_rollout(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        endpoint: &EndpointName,
        change: ChangeRollout,
    ) -> Result<DeployedRevision, Problem> {
        let decide = || self.rollout_events(project, endpoint, &change);
        let events = self.engine().change(caller, request, decide).await?;
        let number = deployed_number(&events)?;
        republish_routes(self).await?;
        self.known().revision(endpoint, number).await
    }

    async fn rollout_events(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        change: &ChangeRollout,
    ) -> Result<Vec<Event>, Problem> {
        let found = self.known().found_endpoint(project, endpoint).await?;
        let live = self.known().live_revision(endpoint).await?.revision;
        let Route::Canary { stable, canary, .. } = live.route else {
            return Err(Refusal::new(format!("endpoint `{endpoint}` has no canary"))
                .hint(format!("`stemma deploy {endpoint} --canary MODEL@VERSION --weight PERCENT` begins one"))
                .into());
        };
        let (route, salt) = match change.act {
            RolloutAct::Weight { percent } => {
                check_weight(percent)?;
                for target in canary.targets() {
                    may_try(self.known(), project, target).await?;
                }
                (Route::Canary { stable, canary, weight_percent: percent }, live.salt)
            }
            RolloutAct::Promote => {
                for target in canary.targets() {
                    may_serve(self.known(), project, target).await?;
                }
                (Route::Single { serves: canary }, endpoint.to_string())
            }
            RolloutAct::Abort => (Route::Single { serves: stable }, endpoint.to_string()),
        };
        let next = Revision { number: found.revisions + 1, route, salt, ..live };
        Ok(vec![revision_event(self, project, next, &change.reason).await?])
    }
}

/// Refuses what would end a running canary without having been told to.
pub(crate) fn keeps_canary(live: &Revision, next: Option<&Route>) -> Result<(), Problem> {
    let Some(canary) = live.canary_ended_by(next) else {
        return Ok(());
    };
    let endpoint = &live.endpoint;
    Err(Refusal::new(format!("this would end the canary of `{endpoint}`: {canary}"))
        .hint(format!(
            "end it with `--end-canary` (`end_canary` of the request); `stemma rollout promote {endpoint}` lets it take over"
        ))
        .into())
}

/// A share of units in percent.
pub(crate) fn check_weight(percent: f64) -> Result<(), Problem> {
    if (0.0..=100.0).contains(&percent) {
        return Ok(());
    }
    Err(Problem::invalid(format!("a weight of {percent} is not a share")).hint("give percent, from 0 to 100"))
}
