//! Predictions that are looked for.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{FindPredictions, FoundPredictions},
};
use stemma_core::{
    Problem,
    name::{EndpointName, ProjectName},
    rights::Action,
};

use super::{filters, head::Head, paper::html};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "predictions.html")]
struct PredictionsPage {
    head: Head,
    project: ProjectName,
    endpoints: Vec<EndpointName>,
    found: FoundPredictions,
    /// Where it goes on.
    next: Option<String>,
    ask: FindPredictions,
}

pub async fn predictions(call: Call<(ProjectName,), Nothing, FindPredictions>) -> Result<Response, Problem> {
    let head = Head::in_project(&call, &call.at.0).await?;
    let ((project,), ask, known) = (call.at, call.ask, call.app.known());
    let found = call.app.delivery.find_predictions(&call.caller, &project, &ask).await?;
    let further = |cursor: String| FindPredictions { cursor: Some(cursor), ..ask.clone() };
    let next = found.next.clone().map(|cursor| href::found_predictions(&project, &further(cursor)));
    let reach = call.caller.reach(Action::ReadPredictions, &project);
    let endpoints = known.endpoint_names_within(&project, &reach).await?;
    html(PredictionsPage { head, endpoints, project, found, next, ask })
}
