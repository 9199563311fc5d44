//! What is done to a version.

use axum::response::Response;
use http::StatusCode;
use stemma_api::types::{Approve, LiftQuarantine, Promote, RequestPromotion, SetAlias, SetQuarantine};
use stemma_core::{
    Problem,
    name::{ModelName, ProjectName},
};

use crate::{
    call::{Call, Sent},
    href::{self, NameVersion},
    page::paper::redirect,
};

type OfVersion = (ProjectName, ModelName, String);

fn back((project, model, version): &OfVersion) -> Result<Response, Problem> {
    redirect(StatusCode::SEE_OTHER, &href::version_named(project, model, version))
}

pub async fn approve(call: Call<OfVersion, Sent<Approve>>) -> Result<Response, Problem> {
    let (project, model, version) = &call.at;
    call.app.engine().approve(&call.caller, call.request, project, model, version, call.body.0).await?;
    back(&call.at)
}

pub async fn promote(call: Call<OfVersion, Sent<Promote>>) -> Result<Response, Problem> {
    let (project, model, version) = &call.at;
    call.app.engine().promote(&call.caller, call.request, project, model, version, call.body.0).await?;
    back(&call.at)
}

pub async fn quarantine(call: Call<OfVersion, Sent<SetQuarantine>>) -> Result<Response, Problem> {
    let (project, model, version) = &call.at;
    call.app.delivery.quarantine(&call.caller, call.request, project, (model, version), call.body.0).await?;
    back(&call.at)
}

pub async fn lift(call: Call<OfVersion, Sent<LiftQuarantine>>) -> Result<Response, Problem> {
    let (project, model, version) = &call.at;
    call.app.delivery.lift_quarantine(&call.caller, call.request, project, (model, version), call.body.0).await?;
    back(&call.at)
}

pub async fn request(call: Call<OfVersion, Sent<RequestPromotion>>) -> Result<Response, Problem> {
    let (project, model, version) = &call.at;
    call.app.engine().request_promotion(&call.caller, call.request, project, (model, version), call.body.0).await?;
    back(&call.at)
}

pub async fn set_alias(call: Call<OfVersion, Sent<NameVersion>>) -> Result<Response, Problem> {
    let (project, model, version) = &call.at;
    let NameVersion { alias, reason } = call.body.0;
    let set = SetAlias { version: version.clone(), reason };
    call.app.engine().set_alias(&call.caller, call.request, project, (model, &alias), set).await?;
    back(&call.at)
}
