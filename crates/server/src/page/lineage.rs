//! The family tree around a thing, and what depends on it, on one page.

use askama::Template;
use axum::response::Response;
use stemma_api::types::{Impact, Lineage};
use stemma_core::{Problem, lineage::Direction, name::ProjectName};

use super::{head::Head, html, tree};
use crate::{context::Context, href, route::lineage::asked};

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

pub async fn lineage(context: Context) -> Result<Response, Problem> {
    let (project, head) = Head::of_project(&context).await?;
    let (delivery, ask) = (&context.app.delivery, asked(&context)?);
    let drawn = delivery.lineage(&context.caller, &project, &ask).await?.merged();
    let drawn = Lineage { tree: href::link(drawn.tree, &project), ..drawn };
    let impact = match ask.direction {
        Direction::Up => None,
        Direction::Down => Some(delivery.impact(&context.caller, &project, &ask.of).await?),
    };
    let picture = tree::picture(&drawn.tree);
    html(LineagePage { head, project, of: ask.of, picture, impact, lineage: drawn })
}
