//! Runs, in a list and each.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{Page, Paging, RunDetail, RunSummary},
};
use stemma_core::{
    Problem,
    id::RunId,
    lineage::Direction,
    name::ProjectName,
    record::{FileRef, RunRecord},
};

use super::{filters, head::Head, paper::html};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    head: Head,
    project: ProjectName,
    runs: Page<RunSummary>,
}

pub async fn runs(call: Call<(ProjectName,), Nothing, Paging<RunId, 50>>) -> Result<Response, Problem> {
    let head = Head::in_project(&call, &call.at.0).await?;
    let ((project,), Paging { cursor, limit }) = (call.at, call.ask);
    html(RunsPage { head, runs: call.app.known().runs(&project, cursor, limit.get()).await?, project })
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    head: Head,
    project: ProjectName,
    record: RunRecord,
    seconds: String,
    environment: String,
    files: Vec<(&'static str, Vec<FileRef>)>,
    detail: RunDetail,
}

pub async fn run(call: Call<(ProjectName, RunId)>) -> Result<Response, Problem> {
    let head = Head::in_project(&call, &call.at.0).await?;
    let (project, run) = call.at;
    let detail = call.app.known().run(&project, run).await?;
    let record = detail.record.clone();
    let micros = record.ended.micros().saturating_sub(record.started.micros());
    html(RunPage {
        head,
        project,
        seconds: format!("{:.1}", micros as f64 / 1e6),
        environment: filters::environment_line(detail.environment.as_ref()),
        files: vec![
            ("Read", record.inputs.clone()),
            ("Wrote", record.outputs.clone()),
            ("Code", record.code.files.clone()),
        ],
        record,
        detail,
    })
}
