//! What was decided and is waited for: aliases, rules and promotions of a whole model, requests.

use stemma_api::types::{
    Alias, AliasMove, Aliases, ClosedRequest, ModelVersion, Page, PromotionRequest, RequestComment,
};
use stemma_core::{
    Problem,
    event::{Event, Promoted, PromotionRequested, about::About},
    name::{ModelName, ProjectName},
    near,
    policy::{ModelPolicy, Stage},
    record::Actor,
};
use stemma_ledger::{AliasRow, EventFilter, EventRow, Order, Recorded, RequestRow};

use super::sources::{Known, fact};
use crate::problem::{internal, ledger_problem};

impl Known {
    /// What the aliases of a model point at, with a page of all that moved them, newest first.
    pub async fn aliases(
        &self,
        project: &ProjectName,
        model: &ModelName,
        cursor: Option<u64>,
        limit: u32,
    ) -> Result<Aliases, Problem> {
        let names = self.model_names(project).await?;
        if !names.contains(model) {
            let hint = near::hint(model.as_str(), names.iter().map(ModelName::as_str), "`stemma models` lists them");
            return Err(Problem::not_found(format!("there is no model `{model}` in project `{project}`")).hint(hint));
        }
        let aliases = self.current_aliases(project, model).await?;
        let Page { items: moves, next } = self.alias_moves(project, model, cursor, limit).await?;
        Ok(Aliases { model: model.clone(), aliases, moves, next })
    }

    pub(crate) async fn current_aliases(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Vec<Alias>, Problem> {
        let policy = self.policy_or_default(project, model).await?;
        let rows = self.facts().aliases(project, model).await.map_err(ledger_problem)?;
        let alias = |row: Recorded<AliasRow>| Alias {
            moved_by: policy.protects(&row.value.alias),
            alias: row.value.alias,
            version: row.value.number,
            moved: fact(row.fact),
        };
        Ok(rows.into_iter().map(alias).collect())
    }

    pub(crate) async fn alias_moves(
        &self,
        project: &ProjectName,
        model: &ModelName,
        cursor: Option<u64>,
        limit: u32,
    ) -> Result<Page<AliasMove>, Problem> {
        let kinds = ["alias_moved", "alias_removed"].map(str::to_owned).into();
        let (about, project) = (Some(About::Model(model.clone())), Some(project.clone()));
        let filter = EventFilter { kinds, about, project, ..EventFilter::default() };
        let behind = cursor.or_else(|| self.last_event().map(|seq| seq + 1));
        let rows = self.ledger().page_of_events(&filter, Order::NewestFirst, behind, limit + 1).await;
        let Page { items, next } = Page::of(rows.map_err(ledger_problem)?, limit, |last| last.seq);
        Ok(Page { items: items.into_iter().filter_map(alias_move).collect(), next })
    }

    /// All rules that were ever declared for a model and by whom, oldest first.
    pub(crate) async fn policies(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Vec<(Actor, ModelPolicy)>, Problem> {
        let rows = self.facts().policies(project, model).await.map_err(ledger_problem)?;
        Ok(rows.into_iter().map(|row| (row.fact.actor, row.value)).collect())
    }

    /// The promotions of all versions of a model, oldest first.
    pub(crate) async fn promotions_of_model(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Vec<Promoted>, Problem> {
        let rows = self.facts().promotions_of_model(project, model).await.map_err(ledger_problem)?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    }

    /// The requests of a version for a stage that wait.
    pub(crate) async fn waiting_for(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
        stage: Stage,
    ) -> Result<Vec<Recorded<PromotionRequested>>, Problem> {
        let rows = self.facts().open_requests_of(project, &version.model, version.number).await;
        Ok(rows.map_err(ledger_problem)?.into_iter().filter(|row| row.value.stage == stage).collect())
    }

    /// The numbers of all requests of a version that wait.
    pub(crate) async fn waiting_numbers(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
    ) -> Result<Vec<u32>, Problem> {
        let rows = self.facts().open_requests_of(project, &version.model, version.number).await;
        Ok(rows.map_err(ledger_problem)?.into_iter().map(|row| row.value.request).collect())
    }

    pub(crate) async fn next_request(&self, project: &ProjectName) -> Result<u32, Problem> {
        let next = self.facts().next_request(project).await.map_err(ledger_problem)?;
        next.ok_or_else(|| internal("this project has had 2^32 requests"))
    }

    /// A request as it was asked, with its comments and how it ended; approvals and what is missing are looked up by whoever
    /// shows it.
    pub(crate) async fn bare_request(&self, project: &ProjectName, request: u32) -> Result<PromotionRequest, Problem> {
        let found = self.facts().request(project, request).await.map_err(ledger_problem)?;
        found.map(bare).ok_or_else(|| {
            Problem::not_found(format!("there is no request {request} in project `{project}`"))
                .hint("`stemma requests` lists those that wait, `stemma requests --all` all")
        })
    }

    pub(crate) async fn bare_requests(
        &self,
        project: &ProjectName,
        cursor: Option<u32>,
        limit: u32,
    ) -> Result<Page<PromotionRequest>, Problem> {
        let rows = self.facts().requests_below(project, cursor, limit as usize + 1).await.map_err(ledger_problem)?;
        Ok(page(rows, limit))
    }

    pub(crate) async fn bare_waiting_requests(
        &self,
        project: &ProjectName,
        cursor: Option<u32>,
        limit: u32,
    ) -> Result<Page<PromotionRequest>, Problem> {
        let rows = self.facts().open_requests(project, cursor, limit as usize + 1).await.map_err(ledger_problem)?;
        Ok(page(rows, limit))
    }
}

fn alias_move(row: EventRow) -> Option<AliasMove> {
    let moved = fact(stemma_ledger::Fact { seq: row.seq, time: row.time, actor: row.actor });
    match row.event {
        Event::AliasMoved { alias, from, to, reason, .. } => {
            Some(AliasMove { alias, from, to: Some(to), reason, moved })
        }
        Event::AliasRemoved { alias, from, reason, .. } => {
            Some(AliasMove { alias, from: Some(from), to: None, reason, moved })
        }
        _ => None,
    }
}

fn page(rows: Vec<Recorded<RequestRow>>, limit: u32) -> Page<PromotionRequest> {
    Page::of(rows, limit, |last| last.value.asked.request).map(bare)
}

fn bare(row: Recorded<RequestRow>) -> PromotionRequest {
    let RequestRow { asked, comments, closing } = row.value;
    let comments = comments.into_iter();
    PromotionRequest {
        request: asked.request,
        model: asked.model,
        version: asked.version,
        digest: asked.subject,
        stage: asked.stage,
        comment: asked.comment,
        asked: fact(row.fact),
        comments: comments.map(|one| RequestComment { comment: one.value.comment, said: fact(one.fact) }).collect(),
        approvals: Vec::new(),
        missing: None,
        closed: closing.map(|one| ClosedRequest {
            outcome: one.value.outcome,
            reason: one.value.reason,
            closed: fact(one.fact),
        }),
    }
}
