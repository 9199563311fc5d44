//! Runs.

use stemma_api::{
    act::Nothing,
    acts::run,
    types::{Page, Paging, RecordRun, RunDetail, RunSummary},
};
use stemma_core::{Problem, id::RunId, name::ProjectName};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![route(&run::LIST, list), route(&run::RECORD, record), route(&run::SHOW, show)]
}

async fn list(call: Call<(ProjectName,), Nothing, Paging<RunId, 50>>) -> Result<Page<RunSummary>, Problem> {
    let ((project,), Paging { cursor, limit }) = (call.at, call.ask);
    call.app.known().runs(&project, cursor, limit.get()).await
}

async fn record(call: Call<(ProjectName,), RecordRun>) -> Result<RunDetail, Problem> {
    let (project,) = call.at;
    call.app.engine().record_run(&call.caller, &project, call.body).await
}

async fn show(call: Call<(ProjectName, RunId)>) -> Result<RunDetail, Problem> {
    let (project, run) = call.at;
    call.app.known().run(&project, run).await
}
