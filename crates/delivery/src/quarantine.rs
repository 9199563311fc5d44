//! Quarantine: a version is kept from going on, and, if that is asked for, taken from all endpoints in the same commit.

use stemma_api::types::{DeployedRevision, LiftQuarantine, ModelVersion, Pulled, Quarantined, SetQuarantine};
use stemma_core::{
    Problem, Refusal,
    endpoint::{
        revision::{Revision, standing},
        target::Target,
    },
    event::{self, Event},
    id::RequestId,
    name::{ModelName, ProjectName},
    policy::Stage,
    rights::Action,
};
use stemma_engine::{Caller, Known, model::said::said, resolve::find_version};

use crate::{Delivery, publish::republish_routes, standing::kept_back};

impl Delivery {
    /// Keeps a version from being promoted, deployed or asked more. With `pull`, each endpoint that it answers goes back to
    /// the newest revision that may answer; where there is none, callers are told why.
    pub async fn quarantine(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        (model, version): (&ModelName, &str),
        set: SetQuarantine,
    ) -> Result<Quarantined, Problem> {
        if set.pull {
            caller.may(Action::Deploy, Some(project))?;
        }
        let set = SetQuarantine { reason: said(&set.reason, "the reason", "--reason")?, ..set };
        let number = find_version(self.known(), project, model, version).await?.number.to_string();
        let decide = || quarantine_events(self.known(), project, (model, &number), &set);
        let events = self.engine().change(caller, request, decide).await?;
        republish_routes(self).await?;
        outcome(self.known(), project, (model, &number), &events).await
    }

    /// Ends a quarantine. Endpoints stay as they are: what answers is for somebody to decide.
    pub async fn lift_quarantine(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        (model, version): (&ModelName, &str),
        lift: LiftQuarantine,
    ) -> Result<Quarantined, Problem> {
        let reason = &said(&lift.reason, "the reason", "--reason")?;
        let number = &find_version(self.known(), project, model, version).await?.number.to_string();
        let decide = || async move {
            let version = find_version(self.known(), project, model, number).await?;
            if version.quarantine.is_none() {
                return Err(Refusal::new(format!("{} is not in quarantine", version.name())).into());
            }
            Ok(vec![Event::QuarantineLifted(about(project, &version, reason))])
        };
        let events = self.engine().change(caller, request, decide).await?;
        republish_routes(self).await?;
        outcome(self.known(), project, (model, number), &events).await
    }
}

async fn quarantine_events(
    known: &Known,
    project: &ProjectName,
    (model, number): (&ModelName, &str),
    set: &SetQuarantine,
) -> Result<Vec<Event>, Problem> {
    let version = find_version(known, project, model, number).await?;
    let mut events = Vec::new();
    if version.quarantine.is_none() {
        events.push(Event::VersionQuarantined(about(project, &version, &set.reason)));
    }
    if set.pull {
        for live in answered_by(known, project, &version).await? {
            events.push(pull(known, &version, &live.revision, &set.reason).await?);
        }
    }
    if events.is_empty() {
        return Err(kept_back(&version).unwrap_or_else(|| Refusal::new("there is nothing to do")).into());
    }
    Ok(events)
}

fn about(project: &ProjectName, version: &ModelVersion, reason: &str) -> event::Quarantine {
    event::Quarantine {
        project: project.clone(),
        model: version.model.clone(),
        version: version.number,
        subject: version.digest,
        reason: reason.to_owned(),
    }
}

/// The live revisions of a project that ask a version, in whichever arm.
async fn answered_by(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
) -> Result<Vec<DeployedRevision>, Problem> {
    let live = known.current_revisions().await?.into_iter();
    let asks = |one: &DeployedRevision| one.revision.targets().into_iter().any(|target| is_it(target, version));
    Ok(live.filter(|one| one.revision.project == *project && asks(one)).collect())
}

fn is_it(target: &Target, version: &ModelVersion) -> bool {
    target.model == version.model && target.version == version.number
}

/// Takes an endpoint from a version.
async fn pull(known: &Known, version: &ModelVersion, live: &Revision, reason: &str) -> Result<Event, Problem> {
    let (project, endpoint, from) = (live.project.clone(), live.endpoint.clone(), live.number);
    let standing = standing(&known.activated_revisions(&endpoint).await?);
    for number in standing.into_iter().rev().filter(|number| *number != from) {
        let earlier = known.revision(&endpoint, number).await?.revision;
        if is_clean(known, &earlier, version).await? {
            let reason = format!("{} is in quarantine: {reason}", version.name());
            return Ok(Event::RevisionActivated { project, endpoint, number, from, reason });
        }
    }
    let (reason, quarantine) = (reason.to_owned(), Some(version.name()));
    Ok(Event::EndpointTakenDown { project, endpoint, from, reason, quarantine })
}

/// Whether a revision asks neither the version that is put into quarantine nor anything else that may not answer or can't.
async fn is_clean(known: &Known, revision: &Revision, kept_back: &ModelVersion) -> Result<bool, Problem> {
    for target in revision.targets() {
        if is_it(target, kept_back) {
            return Ok(false);
        }
        let version = find_version(known, &revision.project, &target.model, &target.version.to_string()).await?;
        if version.quarantine.is_some() || version.stage == Stage::Archived {
            return Ok(false);
        }
        if let Err(problem) = known.load_model(target.digest).await {
            tracing::warn!(%problem, "revision {}#{} is passed over", revision.endpoint, revision.number);
            return Ok(false);
        }
    }
    Ok(true)
}

/// How a version stands after a commit, and what that did to endpoints.
async fn outcome(
    known: &Known,
    project: &ProjectName,
    (model, number): (&ModelName, &str),
    events: &[Event],
) -> Result<Quarantined, Problem> {
    let pulled = events.iter().filter_map(|event| match event {
        Event::RevisionActivated { endpoint, number, from, .. } => {
            Some(Pulled { endpoint: endpoint.clone(), from: *from, to: Some(*number) })
        }
        Event::EndpointTakenDown { endpoint, from, .. } => {
            Some(Pulled { endpoint: endpoint.clone(), from: *from, to: None })
        }
        _ => None,
    });
    let version = find_version(known, project, model, number).await?;
    let live = answered_by(known, project, &version).await?;
    let answers = live.into_iter().map(|one| one.revision.endpoint).collect();
    Ok(Quarantined { pulled: pulled.collect(), answers, version })
}
