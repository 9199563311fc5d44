//! Versions that were trained again elsewhere.

use stemma_api::{
    paths::pattern,
    types::{Page, RecordReproduction, Reproduced},
};
use stemma_core::{Problem, name::ModelName};

use super::{Route, json_route};
use crate::context::Context;

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(GET pattern::REPRODUCTIONS, Read, "how equal a version came out when it was trained again", list, => Page<Reproduced>),
        json_route!(POST pattern::REPRODUCTIONS, Track, "record that a version was trained again; how equal it is, is decided here", record, RecordReproduction => Reproduced),
    ]
}

async fn list(context: Context) -> Result<Page<Reproduced>, Problem> {
    let (project, model): (_, ModelName) = (context.project()?, context.path("model")?);
    let version: String = context.path("version")?;
    context.app.known().reproductions(&project, &model, &version).await
}

async fn record(mut context: Context) -> Result<Reproduced, Problem> {
    let (project, model): (_, ModelName) = (context.project()?, context.path("model")?);
    let version: String = context.path("version")?;
    let record: RecordReproduction = context.json().await?;
    context.app.engine().reproduce(&context.caller, context.request, &project, &model, &version, record).await
}
