//! The next revision of an endpoint: what each act that makes one does alike.

use stemma_core::{Problem, Refusal, canonical, endpoint::revision::Revision, event::Event, name::ProjectName};
use stemma_engine::problem::internal;

use crate::Delivery;

/// Stores a revision's body, then tells that it was deployed. What can't act here must not look as if it did.
pub(crate) async fn revision_event(
    delivery: &Delivery,
    project: &ProjectName,
    mut revision: Revision,
    reason: &str,
) -> Result<Event, Problem> {
    let mut faults = revision.faults();
    faults.extend(revision.beyond_this_program());
    if !faults.is_empty() {
        return Err(Refusal::new(format!("`{}` can't answer like this", revision.endpoint)).missing(faults).into());
    }
    revision.make_fit();
    let (digest, bytes) = canonical::digest(&revision).map_err(internal)?;
    delivery.engine().put_content(project, bytes).await?;
    Ok(Event::RevisionDeployed { revision, digest, reason: reason.to_owned() })
}

/// The number that a commit gave to its revision.
pub(crate) fn deployed_number(events: &[Event]) -> Result<u32, Problem> {
    let deployed = events.iter().find_map(|event| match event {
        Event::RevisionDeployed { revision, .. } => Some(revision.number),
        _ => None,
    });
    deployed.ok_or_else(|| Problem::invalid("this request id was used for something else"))
}

/// Refuses what would end a running canary without having been told to.
pub(crate) fn keeps_canary(live: &Revision, next: Option<&Revision>) -> Result<(), Problem> {
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
