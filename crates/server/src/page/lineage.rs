//! The family tree around a thing, and what depends on it, on one page.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{AskLineage, Impact, Lineage},
};
use stemma_core::{Problem, lineage::Direction, name::ProjectName};

use super::{filters, head::Head, paper::html_at, tree};
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
    let (head, delivery) = (Head::of_call(&call, &call.at.0).await?, call.delivery());
    let ((project,), ask, known) = (call.at, call.ask, call.known);
    let drawn = delivery.lineage(&call.caller, &project, &ask).await?.merged();
    let drawn = Lineage { tree: href::link(drawn.tree, &project), ..drawn };
    let impact = match ask.direction {
        Direction::Down if known.is_past() => {
            known.leave_out("how many answers depend on it: that is counted as of now only");
            None
        }
        Direction::Up => None,
        Direction::Down => Some(delivery.impact(&call.caller, &project, &ask.of).await?),
    };
    let picture = tree::picture(&drawn.tree);
    html_at(known.moment(), LineagePage { head, project, of: ask.of, picture, impact, lineage: drawn })
}
