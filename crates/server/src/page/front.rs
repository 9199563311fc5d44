//! Where a caller begins: at a project, and what is in it.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use stemma_api::types::{EndpointDetail, Meaning, ModelSummary, Page, PromotionRequest, RunSummary};
use stemma_core::{Problem, meaning::Thing, name::ProjectName, rights::Action};

use super::{
    filters,
    head::{self, Head},
    paper::{html_at, redirect},
};
use crate::{call::Call, href};

pub async fn front(call: Call) -> Result<Response, Problem> {
    // another one for another caller, and another day
    let project = head::first_project(call.app.known(), &call.caller).await?;
    redirect(StatusCode::SEE_OTHER, &href::overview(&project))
}

/// Requests, endpoints and models of an overview; their own pages have the others.
const SHOWN: u32 = 100;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    head: Head,
    project: ProjectName,
    meaning: Meaning,
    waiting: Page<PromotionRequest>,
    endpoints: Page<EndpointDetail>,
    models: Page<ModelSummary>,
    runs: Vec<RunSummary>,
}

pub async fn overview(call: Call<(ProjectName,)>) -> Result<Response, Problem> {
    let (head, delivery) = (Head::of_call(&call, &call.at.0).await?, call.delivery());
    let ((project,), known) = (call.at, call.known);
    known.leave_out("runs: their list is told as of now only");
    let runs = if known.is_past() { Vec::new() } else { known.runs(&project, None, 10).await?.items };
    let endpoints = delivery.endpoints(&call.caller, &project, None, SHOWN).await?;
    let waiting = known.waiting_requests(&project, None, SHOWN).await?;
    let models = known.page_of_models(&project, None, SHOWN).await?;
    let meaning = known.meaning_of(&project, Thing::Project).await?;
    html_at(known.moment(), OverviewPage { head, meaning, waiting, endpoints, models, runs, project })
}
