//! Runs.

use stemma_api::{
    paths::pattern,
    types::{Page, RecordRun, RunDetail, RunSummary},
};
use stemma_core::{Problem, id::RunId};

use super::{Route, json_route};
use crate::context::Context;

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(GET pattern::RUNS, Read, "runs, newest first", list, => Page<RunSummary>),
        json_route!(POST pattern::RUNS, Track, "record a finished run", record, RecordRun => RunDetail),
        json_route!(GET pattern::RUN, Read, "one run", show, => RunDetail),
    ]
}

async fn list(context: Context) -> Result<Page<RunSummary>, Problem> {
    let limit = context.limit(50, 1000)?;
    let before: Option<RunId> = match context.query("before") {
        None => None,
        Some(text) => Some(text.parse()?),
    };
    context.app.known().runs(&context.project()?, before, limit).await
}

async fn record(mut context: Context) -> Result<RunDetail, Problem> {
    let project = context.project()?;
    let run: RecordRun = context.json().await?;
    context.app.engine().record_run(&context.caller, &project, run).await
}

async fn show(context: Context) -> Result<RunDetail, Problem> {
    context.app.known().run(&context.project()?, context.path("run")?).await
}
