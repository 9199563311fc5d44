//! Why a prediction is what it is.

use askama::Template;
use axum::response::Response;
use stemma_api::types::{FamilyTree, VersionDetail, Why};
use stemma_core::{
    Problem,
    endpoint::prediction::{OverrideEffect, PredictionId},
    name::ProjectName,
};

use super::{filters, head::Head, paper::html, tree};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "prediction.html")]
struct PredictionPage {
    head: Head,
    project: ProjectName,
    sentence: String,
    /// Files that have a name are drawn as the named version.
    tree: FamilyTree,
    /// As SVG, unless it is too large for one.
    picture: Option<String>,
    failure: Option<String>,
    models: Vec<VersionDetail>,
    why: Why,
}

pub async fn prediction(call: Call<(PredictionId,)>) -> Result<Response, Problem> {
    let (prediction,) = call.at;
    let why = call.app.delivery.why(&call.caller, &prediction).await?;
    let project = why.project.clone();
    let tree = href::link(why.tree.merged(), &project);
    html(PredictionPage {
        head: Head::in_project(&call, &project).await?,
        project,
        sentence: filters::why_sentence(&why),
        picture: tree::picture(&tree),
        tree,
        failure: why.record.outcome.message().map(str::to_owned),
        models: why.models.clone(),
        why,
    })
}
