//! The family tree around a thing, what depends on it, and connections that people declare.

use stemma_api::{
    act::Nothing,
    acts::lineage,
    types::{AskImpact, AskLineage, Impact, Lineage, Link, Linked},
};
use stemma_core::{Problem, name::ProjectName};

use crate::{
    call::Call,
    href,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&lineage::SHOW, show),
        route(&lineage::IMPACT, impact),
        route(&lineage::LINK, link),
        route(&lineage::UNLINK, unlink),
    ]
}

async fn show(call: Call<(ProjectName,), Nothing, AskLineage>) -> Result<Lineage, Problem> {
    let delivery = call.delivery();
    let (project,) = call.at;
    let found = delivery.lineage(&call.caller, &project, &call.ask).await?;
    Ok(Lineage { tree: href::link(found.tree, &project), ..found })
}

async fn impact(call: Call<(ProjectName,), Nothing, AskImpact>) -> Result<Impact, Problem> {
    let (project,) = call.at;
    call.app.delivery.impact(&call.caller, &project, &call.ask.of).await
}

async fn link(call: Call<(ProjectName,), Link>) -> Result<Linked, Problem> {
    let (project,) = call.at;
    call.app.engine().link(&call.caller, call.request, &project, call.body).await
}

async fn unlink(call: Call<(ProjectName,), Link>) -> Result<Linked, Problem> {
    let (project,) = call.at;
    call.app.engine().unlink(&call.caller, call.request, &project, call.body).await
}
