//! Behaviour: whether a version answers as an earlier one did, wherever that was recorded.
//!
//! Recorded predictions are asked again with the version in the place of the earlier one: the same steps, inputs and
//! overrides. Regression cases are put to both.

mod cases;
mod replayed;

use stemma_api::types::{ModelVersion, Registered, VersionComparison};
use stemma_core::{
    Problem,
    behaviour::{Behaviour, Tally},
    canonical,
    event::{Event, EvidenceKind, EvidenceRecorded},
    id::{EvidenceId, RequestId},
    name::ProjectName,
    version::VersionNumber,
};
use stemma_engine::{Caller, problem::internal};

use self::{cases::ask_cases, replayed::ask_predictions};
use crate::Delivery;

/// Earlier versions that a new one is compared with, the newest first.
const VERSIONS_MAX: usize = 5;

impl Delivery {
    /// Tells as which earlier version a new one behaves, and keeps that as evidence. What could not be found out is no
    /// reason to say that nothing was registered: it is said beside.
    pub async fn with_behaviour(&self, caller: &Caller, mut registered: Registered) -> Registered {
        let version = &registered.version;
        let found = match registered.unchanged {
            true => self.known().behaviour(&version.project, version).await,
            false => self.note_behaviour(caller, version).await,
        };
        match found {
            Ok(found) => registered.behaves_as = found,
            Err(problem) => registered.behaviour_unknown = Some(problem.message),
        }
        registered
    }

    /// The same of two versions that are compared: whether the second behaves as the first.
    pub async fn compare_behaviour(
        &self,
        caller: &Caller,
        project: &ProjectName,
        mut found: VersionComparison,
    ) -> VersionComparison {
        if found.a.model != found.b.model || found.a.number == found.b.number {
            return found;
        }
        match tally(self, caller, project, &found.a, &found.b).await {
            Ok(tally) => found.behaves_as = tally.of(found.a.number),
            Err(problem) => found.notes.push(format!("recorded answers could not be compared: {}", problem.message)),
        }
        found
    }

    async fn note_behaviour(&self, caller: &Caller, version: &ModelVersion) -> Result<Option<Behaviour>, Problem> {
        let (project, model) = (&version.project, &version.model);
        let versions = self.known().versions_if_any(project, model).await?.unwrap_or_default();
        let earlier = versions.iter().rev().filter(|one| one.registered.seq < version.registered.seq);
        let mut most: Option<Behaviour> = None;
        for earlier in earlier.take(VERSIONS_MAX) {
            let found = tally(self, caller, project, earlier, version).await?.of(earlier.number);
            // the newest of those of which the most was compared
            most = most
                .into_iter()
                .chain(found)
                .reduce(|most, one| if one.compared() > most.compared() { one } else { most });
        }
        if let Some(found) = &most {
            keep(self, caller, version, found).await?;
        }
        Ok(most)
    }
}

async fn keep(delivery: &Delivery, caller: &Caller, version: &ModelVersion, found: &Behaviour) -> Result<(), Problem> {
    let report = canonical::to_bytes(found).map_err(internal)?;
    let report = delivery.engine().put_content(&version.project, report).await?;
    let event = &Event::EvidenceRecorded(EvidenceRecorded {
        project: version.project.clone(),
        evidence: EvidenceId::generate(),
        kind: EvidenceKind::Behaviour,
        model: version.model.clone(),
        version: version.number,
        subject: version.digest,
        gate: None,
        spec_digest: rule(found.version)?,
        passed: true,
        summary: found.told(),
        report,
        data: None,
        leaky: false,
        metrics: None,
    });
    let decide = || async move { Ok(vec![event.clone()]) };
    delivery.engine().change(caller, RequestId::generate(), decide).await.map(drop)
}

/// Digest of what the evidence is made under: the rule's version, and beside which version.
fn rule(beside: VersionNumber) -> Result<stemma_core::Digest, Problem> {
    Ok(canonical::digest(&("behaviour", 1, beside)).map_err(internal)?.0)
}

/// Asks one version whatever the earlier one was asked, until something differs.
async fn tally(
    delivery: &Delivery,
    caller: &Caller,
    project: &ProjectName,
    earlier: &ModelVersion,
    version: &ModelVersion,
) -> Result<Tally, Problem> {
    let mut tally = Tally::default();
    let known = delivery.known();
    let Some(model) = known.load_version_if_evaluated(version).await? else {
        tally.left_out.push(format!("{} is not run here", version.name()));
        return Ok(tally);
    };
    ask_cases(known, project, earlier, &model, &mut tally).await?;
    if !tally.differs {
        ask_predictions(delivery, caller, project, earlier, &model, &mut tally).await?;
    }
    Ok(tally)
}
