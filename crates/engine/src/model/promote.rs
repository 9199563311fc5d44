//! Promote: a version enters a stage when its evidence and approvals say so; else the refusal lists all that is missing.

use stemma_api::types::{Evidence, ModelVersion, Promote, Promoted};
use stemma_core::{
    ErrorKind, Problem, Refusal,
    event::{self, Event, EvidenceKind},
    id::RequestId,
    name::{ModelName, ProjectName},
    policy::{ApprovalFact, GateFact, ModelPolicy, PromotionGrounds, Stage, decide_promotion},
};

use crate::{
    Caller, Engine, Known,
    model::{makers::makers, names::check_alias},
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
        let alias = events.iter().find_map(|event| match event {
            Event::AliasMoved { alias, .. } => Some(alias.clone()),
            _ => None,
        });
        let done =
            events.iter().any(|event| matches!(event, Event::Promoted(one) if one.version.to_string() == *number));
        if !done {
            return Err(Problem::new(ErrorKind::Conflict, "this request id was used for something else"));
        }
        let version = find_version(self.known(), project, model, number).await?;
        let promotion = self.known().promotions(project, &version).await?.pop();
        let promotion = promotion.ok_or_else(|| Problem::invalid("this request id was used for something else"))?;
        Ok(Promoted { version, promotion, alias })
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
    let mut events = vec![Event::Promoted(event::Promoted {
        project: project.clone(),
        model: version.model.clone(),
        version: version.number,
        subject: version.digest,
        from: version.stage,
        to: promote.stage,
        grounds,
        reason: promote.reason.clone(),
    })];
    if let Some(alias) = policy.promotion(promote.stage).alias {
        let from = known.alias_target(project, &version.model, &alias).await?;
        if from.is_none() {
            check_alias(known, project, &version.model, &alias).await?;
        }
        if from != Some(version.number) {
            let (project, model) = (project.clone(), version.model.clone());
            events.push(Event::AliasMoved { project, model, alias, from, to: version.number });
        }
    }
    Ok(events)
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
        })
        .collect();
    let makers = makers(known, project, version).await?;
    let decided = decide_promotion(policy, stage, &gates, &approvals, &makers);
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
    })
}
