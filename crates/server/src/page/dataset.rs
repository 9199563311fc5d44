//! Datasets.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{DatasetVersion, Page, Paging},
};
use stemma_core::{
    Problem,
    lineage::Direction,
    name::{DatasetName, ProjectName},
};

use super::{filters, head::Head, paper::html};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "datasets.html")]
struct DatasetsPage {
    head: Head,
    project: ProjectName,
    datasets: Page<DatasetVersion>,
}

pub async fn datasets(call: Call<(ProjectName,), Nothing, Paging<DatasetName, 100>>) -> Result<Response, Problem> {
    let ((project,), Paging { cursor, limit }) = (call.at, call.ask);
    let head = Head::in_project(call.app.known(), &call.caller, &project).await?;
    html(DatasetsPage {
        head,
        datasets: call.app.known().page_of_datasets(&project, cursor, limit.get()).await?,
        project,
    })
}
