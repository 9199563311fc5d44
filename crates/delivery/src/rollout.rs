//! Roll out: a canary's share grows, or it takes over, or it goes; each time by a new revision.

use stemma_api::types::{ChangeRollout, DeployedRevision, RolloutAct};
use stemma_core::{
    Problem, Refusal,
    endpoint::{
        graph::Graph,
        revision::{Arm, REVISION_VERSION, Revision, arm},
        route::Route,
    },
    event::Event,
    id::RequestId,
    name::{EndpointName, ProjectName},
};
use stemma_engine::Caller;

use crate::{
    Delivery,
    publish::republish_routes,
    revision::{check_weight, deployed_number, revision_event},
    standing::{may_serve, may_try, not_kept_back, note_let_in},
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
        let Some((stable, canary)) = live.canary_arms().map(|(stable, canary)| (stable.clone(), canary.clone())) else {
            return Err(Refusal::new(format!("endpoint `{endpoint}` has no canary"))
                .hint(format!("`stemma deploy {endpoint} --canary MODEL@VERSION --weight PERCENT` begins one"))
                .into());
        };
        let single = |graph| vec![Arm { name: arm::SINGLE.to_owned(), graph }];
        let for_everybody = || Route::single(arm::SINGLE, endpoint.to_string());
        let (mut arms, route) = match change.act {
            RolloutAct::Weight { percent } => {
                check_weight(percent)?;
                match percent < live.canary_percent() {
                    // then that of the others grows
                    true => self.may_grow(project, &stable).await?,
                    false => {
                        for target in canary.targets() {
                            may_try(self.known(), project, target).await?;
                        }
                    }
                }
                let route = Route::canary(arm::STABLE, arm::CANARY, percent, live.route.salt.clone());
                (live.arms.clone(), route)
            }
            RolloutAct::Promote => {
                for target in canary.targets() {
                    may_serve(self.known(), project, target).await?;
                }
                (single(canary), for_everybody())
            }
            RolloutAct::Abort => {
                self.may_grow(project, &stable).await?;
                (single(stable), for_everybody())
            }
        };
        for arm in &mut arms {
            note_let_in(self.known(), project, &mut arm.graph).await?;
        }
        let next = Revision { v: REVISION_VERSION, number: found.revisions + 1, arms, route, ..live };
        Ok(vec![revision_event(self, project, next, &change.reason).await?])
    }

    /// What answered all along may answer more, unless somebody keeps it back.
    async fn may_grow(&self, project: &ProjectName, stable: &Graph) -> Result<(), Problem> {
        for target in stable.targets() {
            not_kept_back(self.known(), project, target).await?;
        }
        Ok(())
    }
}
