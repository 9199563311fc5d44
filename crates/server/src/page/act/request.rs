//! What is done to a request.

use axum::response::Response;
use http::StatusCode;
use stemma_api::types::{CloseRequest, CommentOnRequest};
use stemma_core::{Problem, event::RequestOutcome, name::ProjectName};

use crate::{
    call::{Call, Sent},
    href,
    page::paper::redirect,
};

type OfRequest = (ProjectName, u32);

fn back((project, _): &OfRequest) -> Result<Response, Problem> {
    redirect(StatusCode::SEE_OTHER, &href::requests(project))
}

pub async fn comment(call: Call<OfRequest, Sent<CommentOnRequest>>) -> Result<Response, Problem> {
    let (project, request) = &call.at;
    call.app.engine().comment_on_request(&call.caller, call.request, project, *request, call.body.0).await?;
    back(&call.at)
}

pub async fn refuse(call: Call<OfRequest, Sent<CloseRequest>>) -> Result<Response, Problem> {
    let ((project, request), outcome) = (&call.at, RequestOutcome::Refused);
    call.app.engine().close_request(&call.caller, call.request, project, (*request, outcome), call.body.0).await?;
    back(&call.at)
}
