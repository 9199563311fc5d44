//! What is done to what answers.

use axum::response::Response;
use http::StatusCode;
use stemma_api::types::{ChangeRollout, Rollback, RolloutAct};
use stemma_core::{
    Problem,
    name::{EndpointName, ProjectName},
};

use crate::{
    call::{Call, Sent},
    href::{self, MoveRollout},
    page::paper::redirect,
};

type OfEndpoint = (ProjectName, EndpointName);

fn back((project, endpoint): &OfEndpoint) -> Result<Response, Problem> {
    redirect(StatusCode::SEE_OTHER, &href::endpoint(project, endpoint))
}

pub async fn roll_back(call: Call<OfEndpoint, Sent<Rollback>>) -> Result<Response, Problem> {
    let (project, endpoint) = &call.at;
    call.app.delivery.roll_back(&call.caller, call.request, project, endpoint, call.body.0).await?;
    back(&call.at)
}

pub async fn roll_out(call: Call<OfEndpoint, Sent<MoveRollout>>) -> Result<Response, Problem> {
    let (project, endpoint) = &call.at;
    let MoveRollout { act, percent, reason } = call.body.0;
    let act = match (act.as_str(), percent) {
        ("weight", Some(percent)) => RolloutAct::Weight { percent },
        ("promote", _) => RolloutAct::Promote,
        ("abort", _) => RolloutAct::Abort,
        _ => return Err(Problem::invalid("a canary gets a weight in percent, takes over, or ends")),
    };
    let change = ChangeRollout { act, reason };
    call.app.delivery.change_rollout(&call.caller, call.request, project, endpoint, change).await?;
    back(&call.at)
}
