//! Endpoints, in a list and each.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{AuditEvent, EndpointDetail, FindEvents, Meaning, Page, Paging},
};
use stemma_core::{
    Problem,
    event::about::About,
    meaning::Thing,
    name::{EndpointName, ProjectName},
    rights::Action,
};

use super::{filters, head::Head, history::history, paper::html_at};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "endpoints.html")]
struct EndpointsPage {
    head: Head,
    project: ProjectName,
    endpoints: Page<EndpointDetail>,
}

pub async fn endpoints(call: Call<(ProjectName,), Nothing, Paging<u64, 100>>) -> Result<Response, Problem> {
    let (head, delivery) = (Head::of_call(&call, &call.at.0).await?, call.delivery());
    let ((project,), Paging { cursor, limit }) = (call.at, call.ask);
    let endpoints = delivery.endpoints(&call.caller, &project, cursor, limit.get()).await?;
    html_at(call.known.moment(), EndpointsPage { head, project, endpoints })
}

#[derive(Template)]
#[template(path = "endpoint.html")]
struct EndpointPage {
    head: Head,
    project: ProjectName,
    meaning: Meaning,
    detail: EndpointDetail,
    history: Page<AuditEvent>,
    may_deploy: bool,
}

pub async fn endpoint(call: Call<(ProjectName, EndpointName), Nothing, Paging<u32, 100>>) -> Result<Response, Problem> {
    let (head, delivery) = (Head::of_call(&call, &call.at.0).await?, call.delivery());
    let ((project, endpoint), Paging { cursor, limit }, known) = (call.at, call.ask, call.known);
    let detail = delivery.endpoint(&call.caller, &project, &endpoint, cursor, limit.get()).await?;
    let meaning = known.meaning_of(&project, Thing::Endpoint(endpoint.clone())).await?;
    let may_deploy = !known.is_past() && call.caller.may_on(Action::Deploy, &project, &endpoint).is_ok();
    let history = history(&known, &project, About::Endpoint(endpoint)).await?;
    html_at(known.moment(), EndpointPage { head, meaning, detail, history, project, may_deploy })
}
