//! Endpoints, in a list and each.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{EndpointDetail, Page, Paging},
};
use stemma_core::{
    Problem,
    name::{EndpointName, ProjectName},
};

use super::{filters, head::Head, paper::html};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "endpoints.html")]
struct EndpointsPage {
    head: Head,
    project: ProjectName,
    endpoints: Page<EndpointDetail>,
}

pub async fn endpoints(call: Call<(ProjectName,), Nothing, Paging<u64, 100>>) -> Result<Response, Problem> {
    let ((project,), Paging { cursor, limit }) = (call.at, call.ask);
    let head = Head::in_project(call.app.known(), &call.caller, &project).await?;
    let endpoints = call.app.delivery.endpoints(&call.caller, &project, cursor, limit.get()).await?;
    html(EndpointsPage { head, project, endpoints })
}

#[derive(Template)]
#[template(path = "endpoint.html")]
struct EndpointPage {
    head: Head,
    project: ProjectName,
    detail: EndpointDetail,
}

pub async fn endpoint(call: Call<(ProjectName, EndpointName), Nothing, Paging<u32, 100>>) -> Result<Response, Problem> {
    let ((project, endpoint), Paging { cursor, limit }) = (call.at, call.ask);
    let head = Head::in_project(call.app.known(), &call.caller, &project).await?;
    html(EndpointPage {
        head,
        detail: call.app.delivery.endpoint(&call.caller, &project, &endpoint, cursor, limit.get()).await?,
        project,
    })
}
