//! Promote: a version enters a stage when its evidence and approvals say so; else the refusal lists all that is missing.

use stemma_api::types::{Evidence, ModelVersion, Promote, Promoted};
use stemma_core::{
    ErrorKind, Problem, Refusal,
    event::{self, Event, EvidenceKind, RequestClosed, RequestOutcome},
    id::RequestId,
    name::{ModelName, ProjectName},
    policy::{ApprovalFact, GateFact, ModelPolicy, PromotionFacts, PromotionGrounds, Stage, decide_promotion},
};

use crate::{
    Caller, Engine, Known,
    model::{makers::barred, names::check_alias},
    resolve::find_version,
};

impl Engine {
    pub async fn promote(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
        promote: Promote,
    ) -> Result<Promoted, Problem> {
        let number = &find_version(self.known(), project, model, version).await?.number.to_string();
        let promote = &promote;
        let decide = || async move {
            let version = find_version(self.known(), project, model, number).await?;
            if version.stage == promote.stage {
                return Err(Refusal::new(format!("{} is in {} already", version.name(), promote.stage)).into());
            }
            let policy = self.known().policy_or_default(project, model).await?;
            let grounds = promotion_grounds(self.known(), project, &version, &policy, promote.stage).await?;
            promotion_events(self.known(), project, &version, &policy, promote, grounds).await
        };
        let events = self.change(caller, request, decide).await?;
        promoted(self.known(), project, model, promote.stage, &events).await
    }
}

async fn promotion_events(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
    policy: &ModelPolicy,
    promote: &Promote,
    grounds: PromotionGrounds,
) -> Result<Vec<Event>, Problem> {
    let stage = promote.stage;
    let event = |version: &ModelVersion, to, grounds, exchanged_with| {
        Event::Promoted(event::Promoted {
            project: project.clone(),
            model: version.model.clone(),
            version: version.number,
            subject: version.digest,
            from: version.stage,
            to,
            grounds,
            reason: promote.reason.clone(),
            exchanged_with,
        })
    };
    let mut events = Vec::new();
    if promote.archive_others {
        for other in others_in(known, project, version, stage).await? {
            events.push(event(&other, Stage::Archived, PromotionGrounds::default(), Some(version.number)));
        }
    }
    events.push(event(version, stage, grounds, None));
    events.extend(moving_alias(known, project, policy, version, stage).await?);
    events.extend(closing_events(known, project, version, stage).await?);
    Ok(events)
}

/// The other versions of a model that stand in a stage: what takes their place puts them away.
async fn others_in(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
    stage: Stage,
) -> Result<Vec<ModelVersion>, Problem> {
    if !stage.is_in_use() {
        return Err(Problem::invalid(format!("nothing takes another's place in {stage}"))
            .hint("`--archive-others` is for `production` and `staging`"));
    }
    let versions = known.versions_if_any(project, &version.model).await?.unwrap_or_default();
    Ok(versions.into_iter().filter(|other| other.stage == stage && other.number != version.number).collect())
}

/// That the alias of a stage's rule points at a version from now on, unless it does.
pub(super) async fn moving_alias(
    known: &Known,
    project: &ProjectName,
    policy: &ModelPolicy,
    version: &ModelVersion,
    stage: Stage,
) -> Result<Option<Event>, Problem> {
    let Some(alias) = policy.promotion(stage).alias else { return Ok(None) };
    let from = known.alias_target(project, &version.model, &alias).await?;
    if from == Some(version.number) {
        return Ok(None);
    }
    if from.is_none() {
        check_alias(known, project, &version.model, &alias).await?;
    }
    let (project, model, to, reason) = (project.clone(), version.model.clone(), version.number, String::new());
    Ok(Some(Event::AliasMoved { project, model, alias, from, to, reason }))
}

/// That what was asked for is done.
pub(super) async fn closing_events(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
    stage: Stage,
) -> Result<Vec<Event>, Problem> {
    let waiting = known.waiting_for(project, version, stage).await?.into_iter();
    let closed = waiting.map(|row| {
        Event::RequestClosed(RequestClosed {
            project: project.clone(),
            request: row.value.request,
            model: version.model.clone(),
            version: version.number,
            outcome: RequestOutcome::Promoted,
            reason: String::new(),
        })
    });
    Ok(closed.collect())
}

/// What a commit that brought a version into a stage did.
pub(super) async fn promoted(
    known: &Known,
    project: &ProjectName,
    model: &ModelName,
    stage: Stage,
    events: &[Event],
) -> Result<Promoted, Problem> {
    let (mut entered, mut left, mut alias, mut requests) = (None, Vec::new(), None, Vec::new());
    for event in events {
        match event {
            Event::Promoted(one) if one.to == stage && one.model == *model => entered = Some(one.version),
            Event::Promoted(one) => left.push(one.version),
            Event::AliasMoved { alias: moved, .. } => alias = Some(moved.clone()),
            Event::RequestClosed(one) => requests.push(one.request),
            _ => {}
        }
    }
    let something_else = || Problem::new(ErrorKind::Conflict, "this request id was used for something else");
    let number = entered.ok_or_else(something_else)?;
    let version = find_version(known, project, model, &number.to_string()).await?;
    let promotion = known.promotions(project, &version).await?.pop().ok_or_else(something_else)?;
    Ok(Promoted { version, promotion, alias, left, requests })
}

/// What a promotion to a stage would rest on, or the refusal that lists what is missing.
pub async fn promotion_grounds(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
    policy: &ModelPolicy,
    stage: Stage,
) -> Result<PromotionGrounds, Problem> {
    let evidence = known.evidence(project, version).await?;
    let gates: Vec<GateFact> = evidence
        .iter()
        .filter(|one| one.kind == EvidenceKind::Gate && one.subject == version.digest)
        .filter_map(gate_fact)
        .collect();
    let approvals: Vec<ApprovalFact> = known
        .approvals(project, version)
        .await?
        .into_iter()
        .filter(|one| one.subject == version.digest)
        .map(|one| ApprovalFact {
            approval: one.approval,
            approver: one.approved.actor,
            auth: one.approved.auth,
            stage: one.stage,
            evidence: one.evidence,
            approved: one.approved.time,
        })
        .collect();
    let makers = &barred(known, project, version, stage).await?;
    let quarantine = version.quarantine.as_ref().map(|one| format!("{} by {}", one.reason, one.since.actor));
    let (approvals, quarantine, now) = (&approvals, quarantine.as_deref(), known.now());
    let facts = PromotionFacts { gates: &gates, approvals, makers, quarantine, now };
    let decided = decide_promotion(policy, stage, &facts);
    decided.map_err(|refusal| {
        let name = version.name();
        let hint = format!("`stemma gate {name}` runs its gates; `stemma approve {name}` is for somebody else");
        Refusal { message: format!("{name}: {}", refusal.message), ..refusal }.hint(hint).into()
    })
}

fn gate_fact(evidence: &Evidence) -> Option<GateFact> {
    Some(GateFact {
        evidence: evidence.evidence,
        gate: evidence.gate.clone()?,
        spec_digest: evidence.spec_digest,
        passed: evidence.passed,
        recorded: evidence.recorded.time,
    })
}
