//! The family tree around a thing, and what depends on it, on one page.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    paths::encode,
    types::{Impact, Lineage},
};
use stemma_core::{Problem, lineage::Direction};

use super::{html, tree};
use crate::{context::Context, route::lineage::asked};

#[derive(Template)]
#[template(path = "lineage.html")]
struct LineagePage {
    lineage: Lineage,
    /// The thing as it was asked for, ready for a link.
    of: String,
    /// As SVG, unless it is too large for one.
    picture: Option<String>,
    impact: Option<Impact>,
}

pub async fn lineage(context: Context) -> Result<Response, Problem> {
    let (engine, project, ask) = (&context.app.engine, context.project()?, asked(&context)?);
    let drawn = engine.lineage(&context.caller, &project, &ask).await?.merged();
    let impact = match ask.direction {
        Direction::Up => None,
        Direction::Down => Some(engine.impact(&context.caller, &project, &ask.of).await?),
    };
    let picture = tree::picture(&drawn.tree);
    html(LineagePage { of: encode(&ask.of), picture, impact, lineage: drawn })
}
