//! What is decided beside approvals and promotions: aliases, quarantine, going back, and what is asked for.

use stemma_api::{
    act::Nothing,
    acts::decision,
    types::{
        Alias, AliasMove, Aliases, CloseRequest, CommentOnRequest, LiftQuarantine, Page, Paging, PromotePrevious,
        Promoted, PromotionRequest, Quarantined, RemoveAlias, RequestPromotion, SetAlias, SetQuarantine,
    },
};
use stemma_core::{
    Problem,
    event::RequestOutcome,
    name::{AliasName, ModelName, ProjectName},
};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&decision::ALIASES, aliases),
        route(&decision::SET_ALIAS, set_alias),
        route(&decision::REMOVE_ALIAS, remove_alias),
        route(&decision::PROMOTE_PREVIOUS, promote_previous),
        route(&decision::QUARANTINE, quarantine),
        route(&decision::LIFT_QUARANTINE, lift_quarantine),
        route(&decision::REQUEST, request),
        route(&decision::REQUESTS, requests),
        route(&decision::WAITING, waiting),
        route(&decision::SHOW_REQUEST, show_request),
        route(&decision::COMMENT, comment),
        route(&decision::WITHDRAW, withdraw),
        route(&decision::REFUSE, refuse),
    ]
}

type OfModel = (ProjectName, ModelName);
type OfAlias = (ProjectName, ModelName, AliasName);
type OfVersion = (ProjectName, ModelName, String);
type OfRequest = (ProjectName, u32);

async fn aliases(call: Call<OfModel, Nothing, Paging<u64>>) -> Result<Aliases, Problem> {
    let ((project, model), Paging { cursor, limit }) = (call.at, call.ask);
    call.known.aliases(&project, &model, cursor, limit.get()).await
}

async fn set_alias(call: Call<OfAlias, SetAlias>) -> Result<Alias, Problem> {
    let (project, model, alias) = call.at;
    call.app.engine().set_alias(&call.caller, call.request, &project, (&model, &alias), call.body).await
}

async fn remove_alias(call: Call<OfAlias, RemoveAlias>) -> Result<AliasMove, Problem> {
    let (project, model, alias) = call.at;
    call.app.engine().remove_alias(&call.caller, call.request, &project, (&model, &alias), call.body).await
}

async fn promote_previous(call: Call<OfModel, PromotePrevious>) -> Result<Promoted, Problem> {
    let (project, model) = call.at;
    call.app.engine().promote_previous(&call.caller, call.request, &project, &model, call.body).await
}

async fn quarantine(call: Call<OfVersion, SetQuarantine>) -> Result<Quarantined, Problem> {
    let (project, model, version) = call.at;
    call.app.delivery.quarantine(&call.caller, call.request, &project, (&model, &version), call.body).await
}

async fn lift_quarantine(call: Call<OfVersion, LiftQuarantine>) -> Result<Quarantined, Problem> {
    let (project, model, version) = call.at;
    call.app.delivery.lift_quarantine(&call.caller, call.request, &project, (&model, &version), call.body).await
}

async fn request(call: Call<OfVersion, RequestPromotion>) -> Result<PromotionRequest, Problem> {
    let (project, model, version) = call.at;
    call.app.engine().request_promotion(&call.caller, call.request, &project, (&model, &version), call.body).await
}

async fn requests(call: Call<(ProjectName,), Nothing, Paging<u32>>) -> Result<Page<PromotionRequest>, Problem> {
    let ((project,), Paging { cursor, limit }) = (call.at, call.ask);
    call.known.requests(&project, cursor, limit.get()).await
}

async fn waiting(call: Call<(ProjectName,), Nothing, Paging<u32>>) -> Result<Page<PromotionRequest>, Problem> {
    let ((project,), Paging { cursor, limit }) = (call.at, call.ask);
    call.known.waiting_requests(&project, cursor, limit.get()).await
}

async fn show_request(call: Call<OfRequest>) -> Result<PromotionRequest, Problem> {
    let (project, request) = call.at;
    call.known.request(&project, request).await
}

async fn comment(call: Call<OfRequest, CommentOnRequest>) -> Result<PromotionRequest, Problem> {
    let (project, request) = call.at;
    call.app.engine().comment_on_request(&call.caller, call.request, &project, request, call.body).await
}

async fn withdraw(call: Call<OfRequest, CloseRequest>) -> Result<PromotionRequest, Problem> {
    let ((project, request), outcome) = (call.at, RequestOutcome::Withdrawn);
    call.app.engine().close_request(&call.caller, call.request, &project, (request, outcome), call.body).await
}

async fn refuse(call: Call<OfRequest, CloseRequest>) -> Result<PromotionRequest, Problem> {
    let ((project, request), outcome) = (call.at, RequestOutcome::Refused);
    call.app.engine().close_request(&call.caller, call.request, &project, (request, outcome), call.body).await
}
