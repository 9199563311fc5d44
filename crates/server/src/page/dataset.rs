//! Datasets, in a list and each.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{AuditEvent, DatasetVersion, FindEvents, Meaning, Page, Paging},
};
use stemma_core::{
    Problem,
    event::about::About,
    lineage::Direction,
    meaning::Thing,
    name::{DatasetName, ProjectName},
};

use super::{filters, head::Head, history::history, paper::html_at};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "datasets.html")]
struct DatasetsPage {
    head: Head,
    project: ProjectName,
    datasets: Page<DatasetVersion>,
}

pub async fn datasets(call: Call<(ProjectName,), Nothing, Paging<DatasetName, 100>>) -> Result<Response, Problem> {
    let head = Head::of_call(&call, &call.at.0).await?;
    let ((project,), Paging { cursor, limit }, known) = (call.at, call.ask, call.known);
    let datasets = known.page_of_datasets(&project, cursor, limit.get()).await?;
    html_at(known.moment(), DatasetsPage { head, datasets, project })
}

#[derive(Template)]
#[template(path = "dataset.html")]
struct DatasetPage {
    head: Head,
    project: ProjectName,
    dataset: DatasetName,
    meaning: Meaning,
    versions: Page<DatasetVersion>,
    history: Page<AuditEvent>,
}

pub async fn dataset(call: Call<(ProjectName, DatasetName), Nothing, Paging<u32, 100>>) -> Result<Response, Problem> {
    let head = Head::of_call(&call, &call.at.0).await?;
    let ((project, dataset), Paging { cursor, limit }, known) = (call.at, call.ask, call.known);
    let versions = known.page_of_dataset_versions(&project, &dataset, cursor, limit.get()).await?;
    let meaning = known.meaning_of(&project, Thing::Dataset(dataset.clone())).await?;
    let history = history(&known, &project, About::Dataset(dataset.clone())).await?;
    html_at(known.moment(), DatasetPage { head, project, dataset, meaning, versions, history })
}
