//! The family tree around a thing, what depends on it, and connections that people declare.

use stemma_api::{
    paths::pattern,
    types::{Impact, Lineage, Link, Linked},
};
use stemma_core::{
    Problem,
    lineage::{Direction, NodeKind},
};
use stemma_engine::AskLineage;

use super::{Route, json_route};
use crate::{context::Context, href};

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(GET pattern::LINEAGE, Read, "what a thing was made from, or what was made from it", lineage, => Lineage),
        json_route!(GET pattern::IMPACT, Read, "runs, versions, revisions and predictions that depend on a thing", impact, => Impact),
        json_route!(POST pattern::LINKS, Track, "declare how two things are connected", link, Link => Linked),
        json_route!(POST pattern::UNLINK, Track, "withdraw a declared connection", unlink, Link => Linked),
    ]
}

async fn lineage(context: Context) -> Result<Lineage, Problem> {
    let project = context.project()?;
    let found = context.app.delivery.lineage(&context.caller, &project, &asked(&context)?).await?;
    Ok(Lineage { tree: href::link(found.tree, &project), ..found })
}

async fn impact(context: Context) -> Result<Impact, Problem> {
    let of = of(&context)?;
    context.app.delivery.impact(&context.caller, &context.project()?, &of).await
}

async fn link(mut context: Context) -> Result<Linked, Problem> {
    let project = context.project()?;
    let link: Link = context.json().await?;
    context.app.engine().link(&context.caller, context.request, &project, link).await
}

async fn unlink(mut context: Context) -> Result<Linked, Problem> {
    let project = context.project()?;
    let link: Link = context.json().await?;
    context.app.engine().unlink(&context.caller, context.request, &project, link).await
}

/// The question in the query, for API and page.
pub fn asked(context: &Context) -> Result<AskLineage, Problem> {
    let direction = match context.query("direction") {
        None => Direction::Up,
        Some(text) => Direction::parse(&text)
            .ok_or_else(|| Problem::invalid(format!("`direction` is `{text}`, expected `up` or `down`")))?,
    };
    let depth = context.query("depth").map(|text| text.parse().map_err(|_| bad_depth(&text))).transpose()?;
    let mut kinds = Vec::new();
    for text in context.query("kind").iter().flat_map(|list| list.split(',')) {
        kinds.push(NodeKind::parse(text).ok_or_else(|| bad_kind(text))?);
    }
    Ok(AskLineage { of: of(context)?, direction, depth, kinds })
}

fn of(context: &Context) -> Result<String, Problem> {
    match context.query("of") {
        Some(of) if !of.is_empty() => Ok(of),
        _ => Err(Problem::invalid("`of` says of what; it is missing").hint("as in `?of=credit-score@1.0.0`")),
    }
}

fn bad_depth(text: &str) -> Problem {
    Problem::invalid(format!("`depth` is `{text}`, expected a number"))
}

fn bad_kind(text: &str) -> Problem {
    let all: Vec<&str> = NodeKind::ALL.iter().map(|kind| kind.as_str()).collect();
    Problem::invalid(format!("there is no kind `{text}`")).hint(format!("kinds are {}", all.join(", ")))
}
