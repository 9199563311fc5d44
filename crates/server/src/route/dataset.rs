//! Dataset versions.

use stemma_api::{
    paths::pattern,
    types::{
        AddDatasetVersion, AddExternalVersion, AddImportedVersion, Blame, DatasetVersion, DatasetVersionAdded, Page,
    },
};
use stemma_core::{Problem, name::DatasetName};

use super::{Route, json_route};
use crate::context::Context;

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(GET pattern::DATASETS, Read, "the newest version of every dataset", list, => Page<DatasetVersion>),
        json_route!(GET pattern::DATASET_VERSIONS, Read, "all versions of a dataset, newest first", versions, => Page<DatasetVersion>),
        json_route!(POST pattern::DATASET_VERSIONS, Track, "add content as a version of a dataset", add, AddDatasetVersion => DatasetVersionAdded),
        json_route!(POST pattern::EXTERNAL, Track, "add data that is kept elsewhere, by reference", external, AddExternalVersion => DatasetVersionAdded),
        json_route!(POST pattern::IMPORTED, Track, "add content that another tool kept, by its place in that history", imported, AddImportedVersion => DatasetVersionAdded),
        json_route!(GET pattern::BLAME, Read, "which versions added, changed or removed one record", blame, => Blame),
    ]
}

async fn list(context: Context) -> Result<Page<DatasetVersion>, Problem> {
    Ok(Page { items: context.app.known().datasets(&context.project()?).await?, next: None })
}

async fn versions(context: Context) -> Result<Page<DatasetVersion>, Problem> {
    let (project, dataset): (_, DatasetName) = (context.project()?, context.path("dataset")?);
    Ok(Page { items: context.app.known().dataset_versions(&project, &dataset).await?, next: None })
}

async fn add(mut context: Context) -> Result<DatasetVersionAdded, Problem> {
    let (project, dataset): (_, DatasetName) = (context.project()?, context.path("dataset")?);
    let add: AddDatasetVersion = context.json().await?;
    context.app.engine().add_dataset_version(&context.caller, context.request, &project, &dataset, add).await
}

async fn external(mut context: Context) -> Result<DatasetVersionAdded, Problem> {
    let (project, dataset): (_, DatasetName) = (context.project()?, context.path("dataset")?);
    let add: AddExternalVersion = context.json().await?;
    context.app.engine().add_external_version(&context.caller, context.request, &project, &dataset, add).await
}

async fn imported(mut context: Context) -> Result<DatasetVersionAdded, Problem> {
    let (project, dataset): (_, DatasetName) = (context.project()?, context.path("dataset")?);
    let imported: AddImportedVersion = context.json().await?;
    context.app.engine().add_imported_version(&context.caller, context.request, &project, &dataset, imported).await
}

async fn blame(context: Context) -> Result<Blame, Problem> {
    let (project, dataset): (_, DatasetName) = (context.project()?, context.path("dataset")?);
    let key: Result<_, Problem> = context.queries("key").iter().map(|text| stemma_engine::key_cell(text)).collect();
    context.app.known().blame(&project, &dataset, key?).await
}
