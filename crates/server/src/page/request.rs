//! What somebody asked to be promoted.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{Page, Paging, PromotionRequest},
};
use stemma_core::{Problem, name::ProjectName, rights::Action};

use super::{filters, head::Head, paper::html_at};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "requests.html")]
struct RequestsPage {
    head: Head,
    project: ProjectName,
    requests: Page<PromotionRequest>,
    may_comment: bool,
    may_refuse: bool,
}

pub async fn requests(call: Call<(ProjectName,), Nothing, Paging<u32, 100>>) -> Result<Response, Problem> {
    let head = Head::of_call(&call, &call.at.0).await?;
    let ((project,), Paging { cursor, limit }, known) = (call.at, call.ask, call.known);
    let requests = known.requests(&project, cursor, limit.get()).await?;
    let may = |action| !known.is_past() && call.caller.may(action, Some(&project)).is_ok();
    let (may_comment, may_refuse) = (may(Action::Track), may(Action::Approve));
    html_at(known.moment(), RequestsPage { head, requests, project, may_comment, may_refuse })
}
