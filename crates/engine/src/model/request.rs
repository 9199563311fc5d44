//! Requests: somebody asks that a version be promoted, others answer. An approval answers too, and the promotion closes it.

use stemma_api::types::{CloseRequest, CommentOnRequest, ModelVersion, Page, PromotionRequest, RequestPromotion};
use stemma_core::{
    ErrorKind, Problem, Refusal,
    event::{self, Event, RequestClosed, RequestOutcome},
    id::RequestId,
    name::{ModelName, ProjectName},
};

use crate::{
    Caller, Engine, Known,
    model::{promote::promotion_grounds, said::said},
    resolve::find_version,
};

impl Known {
    /// A request with its comments, the approvals since, and what is missing still.
    pub async fn request(&self, project: &ProjectName, request: u32) -> Result<PromotionRequest, Problem> {
        whole(self, project, self.bare_request(project, request).await?).await
    }

    /// All requests of a project, newest first.
    pub async fn requests(
        &self,
        project: &ProjectName,
        cursor: Option<u32>,
        limit: u32,
    ) -> Result<Page<PromotionRequest>, Problem> {
        whole_page(self, project, self.bare_requests(project, cursor, limit).await?).await
    }

    /// The requests about one version that wait.
    pub(crate) async fn waiting_requests_of(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
    ) -> Result<Vec<PromotionRequest>, Problem> {
        let mut found = Vec::new();
        for number in self.waiting_numbers(project, version).await? {
            found.push(self.request(project, number).await?);
        }
        Ok(found)
    }

    /// The requests of a project that wait for a decision, oldest first.
    pub async fn waiting_requests(
        &self,
        project: &ProjectName,
        cursor: Option<u32>,
        limit: u32,
    ) -> Result<Page<PromotionRequest>, Problem> {
        whole_page(self, project, self.bare_waiting_requests(project, cursor, limit).await?).await
    }
}

impl Engine {
    pub async fn request_promotion(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        (model, version): (&ModelName, &str),
        ask: RequestPromotion,
    ) -> Result<PromotionRequest, Problem> {
        let stage = ask.stage;
        if !stage.is_in_use() {
            return Err(
                Problem::invalid(format!("nobody has to be asked for {stage}")).hint("name `production` or `staging`")
            );
        }
        let comment = &said(&ask.comment, "the comment", "--comment")?;
        let number = &find_version(self.known(), project, model, version).await?.number.to_string();
        let decide = || async move {
            let version = find_version(self.known(), project, model, number).await?;
            if version.stage == stage {
                return Err(Refusal::new(format!("{} is in {stage} already", version.name())).into());
            }
            if let Some(quarantine) = &version.quarantine {
                let message = format!("{} is in quarantine: {}", version.name(), quarantine.reason);
                return Err(Refusal::new(message).hint("ask again when that is lifted").into());
            }
            if let Some(waiting) = self.known().waiting_for(project, &version, stage).await?.first() {
                let (asked, who) = (waiting.value.request, &waiting.fact.actor.principal);
                return Err(Refusal::new(format!("request {asked} by {who} asks for the same and waits"))
                    .hint(format!("`stemma request comment {asked} --comment …` adds to it"))
                    .into());
            }
            Ok(vec![Event::PromotionRequested(event::PromotionRequested {
                project: project.clone(),
                request: self.known().next_request(project).await?,
                model: model.clone(),
                version: version.number,
                subject: version.digest,
                stage,
                comment: comment.clone(),
            })])
        };
        let events = self.change(caller, request, decide).await?;
        answered(self.known(), project, &events).await
    }

    /// Says something to a request that waits.
    pub async fn comment_on_request(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        number: u32,
        said_to_it: CommentOnRequest,
    ) -> Result<PromotionRequest, Problem> {
        let comment = &said(&said_to_it.comment, "the comment", "--comment")?;
        let decide = || async move {
            let found = waiting(self.known(), project, number).await?;
            Ok(vec![Event::RequestCommented(event::RequestCommented {
                project: project.clone(),
                request: number,
                model: found.model,
                version: found.version,
                comment: comment.clone(),
            })])
        };
        let events = self.change(caller, request, decide).await?;
        answered(self.known(), project, &events).await
    }

    /// Withdraws a request, which only whoever asked can, or refuses it.
    pub async fn close_request(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        (number, outcome): (u32, RequestOutcome),
        close: CloseRequest,
    ) -> Result<PromotionRequest, Problem> {
        let reason = &said(&close.reason, "the reason", "--reason")?;
        if outcome == RequestOutcome::Refused {
            caller.must_be_proved("refuse a request")?;
        }
        let decide = || async move {
            let found = waiting(self.known(), project, number).await?;
            if outcome == RequestOutcome::Withdrawn {
                check_own(caller, &found)?;
            }
            Ok(vec![Event::RequestClosed(RequestClosed {
                project: project.clone(),
                request: number,
                model: found.model,
                version: found.version,
                outcome,
                reason: reason.clone(),
            })])
        };
        let events = self.change(caller, request, decide).await?;
        answered(self.known(), project, &events).await
    }
}

/// A request that nobody has decided yet.
async fn waiting(known: &Known, project: &ProjectName, number: u32) -> Result<PromotionRequest, Problem> {
    let found = known.bare_request(project, number).await?;
    match &found.closed {
        None => Ok(found),
        Some(closed) => {
            let (outcome, who) = (closed.outcome.as_str(), &closed.closed.actor);
            Err(Refusal::new(format!("request {number} was {outcome} by {who} at {}", closed.closed.time))
                .hint(format!("`stemma request promote {}` asks anew", found.version_name()))
                .into())
        }
    }
}

/// Whoever proved who they are when they asked is not taken for somebody who only says so.
fn check_own(caller: &Caller, found: &PromotionRequest) -> Result<(), Problem> {
    let is_theirs = found.asked.actor.is_same_person(&caller.actor.principal) && found.asked.auth == caller.actor.auth;
    if is_theirs {
        return Ok(());
    }
    let message = format!("request {} is of `{}`, who alone can withdraw it", found.request, found.asked.actor);
    Err(Refusal::new(message).hint("whoever may approve can refuse it").into())
}

/// The request that a commit was about.
async fn answered(known: &Known, project: &ProjectName, events: &[Event]) -> Result<PromotionRequest, Problem> {
    let number = events.iter().find_map(|event| match event {
        Event::PromotionRequested(one) => Some(one.request),
        Event::RequestCommented(one) => Some(one.request),
        Event::RequestClosed(one) => Some(one.request),
        _ => None,
    });
    match number {
        Some(number) => known.request(project, number).await,
        None => Err(Problem::new(ErrorKind::Conflict, "this request id was used for something else")),
    }
}

async fn whole_page(
    known: &Known,
    project: &ProjectName,
    page: Page<PromotionRequest>,
) -> Result<Page<PromotionRequest>, Problem> {
    let mut items = Vec::with_capacity(page.items.len());
    for request in page.items {
        items.push(whole(known, project, request).await?);
    }
    Ok(Page { items, next: page.next })
}

async fn whole(
    known: &Known,
    project: &ProjectName,
    mut request: PromotionRequest,
) -> Result<PromotionRequest, Problem> {
    let version = find_version(known, project, &request.model, &request.version.to_string()).await?;
    let until = request.closed.as_ref().map_or(u64::MAX, |closed| closed.closed.seq);
    let approvals = known.approvals(project, &version).await?.into_iter();
    let is_answer = |seq: u64| (request.asked.seq..=until).contains(&seq);
    request.approvals = approvals.filter(|one| one.stage == request.stage && is_answer(one.approved.seq)).collect();
    if request.closed.is_none() {
        let policy = known.policy_or_default(project, &request.model).await?;
        let grounds = promotion_grounds(known, project, &version, &policy, request.stage).await;
        request.missing = Some(match grounds {
            Ok(_) => Vec::new(),
            Err(problem) if problem.kind == ErrorKind::Refused => problem.missing,
            Err(problem) => return Err(problem),
        });
    }
    Ok(request)
}
