//! The family tree around a thing, and what depends on it, on one page.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{AskLineage, Impact, Lineage},
};
use stemma_core::{Problem, lineage::Direction, name::ProjectName};

use super::{head::Head, paper::html, tree};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "lineage.html")]
struct LineagePage {
    head: Head,
    project: ProjectName,
    lineage: Lineage,
    /// The thing as it was asked for.
    of: String,
    /// As SVG, unless it is too large for one.
    picture: Option<String>,
    impact: Option<Impact>,
}

pub async fn lineage(call: Call<(ProjectName,), Nothing, AskLineage>) -> Result<Response, Problem> {
    let ((project,), ask, delivery) = (call.at, call.ask, &call.app.delivery);
    let head = Head::in_project(call.app.known(), &call.caller, &project).await?;
    let drawn = delivery.lineage(&call.caller, &project, &ask).await?.merged();
    let drawn = Lineage { tree: href::link(drawn.tree, &project), ..drawn };
    let impact = match ask.direction {
        Direction::Up => None,
        Direction::Down => Some(delivery.impact(&call.caller, &project, &ask.of).await?),
    };
    let picture = tree::picture(&drawn.tree);
    html(LineagePage { head, project, of: ask.of, picture, impact, lineage: drawn })
}
