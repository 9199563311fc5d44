//! Approve: a person with that right says yes to these bytes, having this evidence before them.

use stemma_api::types::{Approval, Approve};
use stemma_core::{
    ErrorKind, Problem, Refusal,
    event::{Approved, Event},
    id::{ApprovalId, RequestId},
    name::{ModelName, ProjectName},
    policy::Stage,
};

use crate::{Caller, Engine, model::makers::barred, resolve::find_version};

impl Engine {
    /// Records an approval by an authenticated person who did not make the version.
    pub async fn approve(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
        approve: Approve,
    ) -> Result<Approval, Problem> {
        let version = find_version(self.known(), project, model, version).await?;
        caller.must_be_proved("approve")?;
        if approve.reason.trim().is_empty() {
            return Err(Problem::invalid("an approval needs a reason").hint("say it with `--reason`"));
        }
        if matches!(approve.stage, Stage::Archived | Stage::Development) {
            return Err(Problem::invalid(format!("{} needs no approval", approve.stage)));
        }
        let barred = barred(self.known(), project, &version, approve.stage).await?;
        if let Some(part) = barred.part_of(&caller.actor.principal) {
            let (who, name) = (&caller.actor.principal, version.name());
            let refusal = Refusal::new(format!("`{who}` may not approve {name}, since they {}", part.in_words()));
            return Err(refusal.hint("somebody else with the role approver has to look at it").into());
        }
        if let Some(quarantine) = &version.quarantine {
            let message = format!("{} is in quarantine: {}", version.name(), quarantine.reason);
            return Err(Refusal::new(message).hint("approve it when that is lifted").into());
        }
        let (version, approve) = (&version, &approve);
        let decide = || async move {
            let evidence = self.known().evidence(project, version).await?;
            let card = self.approved_card(project, version, approve.card).await?;
            Ok(vec![Event::Approved(Approved {
                project: project.clone(),
                approval: ApprovalId::generate(),
                model: model.clone(),
                version: version.number,
                subject: version.digest,
                stage: approve.stage,
                evidence: evidence.iter().map(|one| one.evidence).collect(),
                reason: approve.reason.clone(),
                card: Some(card),
            })])
        };
        let events = self.change(caller, request, decide).await?;
        let approved = events.iter().find_map(|event| match event {
            Event::Approved(approved) => Some(approved.approval),
            _ => None,
        });
        let approvals = self.known().approvals(project, version).await?;
        let found = approvals.into_iter().find(|one| Some(one.approval) == approved);
        found.ok_or_else(|| Problem::new(ErrorKind::Conflict, "this request id was used for something else"))
    }
}
