//! Dataset versions.

use stemma_api::{
    act::Nothing,
    acts::dataset,
    types::{
        AddDatasetVersion, AddExternalVersion, AddImportedVersion, AskMock, Blame, DatasetVersion, DatasetVersionAdded,
        MockTable, Page, Paging, RecordKey, Reference, TableProfile,
    },
};
use stemma_core::{
    Problem,
    name::{DatasetName, ProjectName},
};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&dataset::LIST, list),
        route(&dataset::VERSIONS, versions),
        route(&dataset::ADD, add),
        route(&dataset::ADD_EXTERNAL, add_external),
        route(&dataset::ADD_IMPORTED, add_imported),
        route(&dataset::BLAME, blame),
        route(&dataset::PROFILE, profile),
        route(&dataset::MOCK, mock),
    ]
}

type OfDataset = (ProjectName, DatasetName);

async fn list(call: Call<(ProjectName,), Nothing, Paging<DatasetName>>) -> Result<Page<DatasetVersion>, Problem> {
    let ((project,), Paging { cursor, limit }) = (call.at, call.ask);
    call.known.page_of_datasets(&project, cursor, limit.get()).await
}

async fn versions(call: Call<OfDataset, Nothing, Paging<u32>>) -> Result<Page<DatasetVersion>, Problem> {
    let ((project, dataset), Paging { cursor, limit }) = (call.at, call.ask);
    call.known.page_of_dataset_versions(&project, &dataset, cursor, limit.get()).await
}

async fn add(call: Call<OfDataset, AddDatasetVersion>) -> Result<DatasetVersionAdded, Problem> {
    let (project, dataset) = call.at;
    call.app.engine().add_dataset_version(&call.caller, call.request, &project, &dataset, call.body).await
}

async fn add_external(call: Call<OfDataset, AddExternalVersion>) -> Result<DatasetVersionAdded, Problem> {
    let (project, dataset) = call.at;
    call.app.engine().add_external_version(&call.caller, call.request, &project, &dataset, call.body).await
}

async fn add_imported(call: Call<OfDataset, AddImportedVersion>) -> Result<DatasetVersionAdded, Problem> {
    let (project, dataset) = call.at;
    call.app.engine().add_imported_version(&call.caller, call.request, &project, &dataset, call.body).await
}

async fn blame(call: Call<OfDataset, Nothing, RecordKey>) -> Result<Blame, Problem> {
    let (project, dataset) = call.at;
    let key: Result<_, Problem> = call.ask.key.iter().map(|text| stemma_engine::key_cell(text)).collect();
    call.known.blame(&project, &dataset, key?).await
}

async fn profile(call: Call<(ProjectName,), Nothing, Reference>) -> Result<TableProfile, Problem> {
    let (project,) = call.at;
    call.known.profile(&call.caller, &project, &call.ask.reference).await
}

async fn mock(call: Call<(ProjectName,), Nothing, AskMock>) -> Result<MockTable, Problem> {
    let (project,) = call.at;
    call.known.mock(&call.caller, &project, &call.ask).await
}
