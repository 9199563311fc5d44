//! From what somebody typed to the thing of which something is said.

use stemma_core::{
    Problem,
    meaning::{NamedThing, Thing},
    name::{DatasetName, EndpointName, ModelName, ProjectName},
    near,
};

use crate::{Known, resolve::find_version};

/// Finds a thing by its name; one that nobody made is an error, and so is a name that several have.
pub(crate) async fn find_thing(known: &Known, project: &ProjectName, of: &str) -> Result<Thing, Problem> {
    match NamedThing::parse(of)? {
        NamedThing::Project => Ok(Thing::Project),
        NamedThing::Model(model) => match is_model(known, project, &model).await? {
            true => Ok(Thing::Model(model)),
            false => Err(no_thing(known, project, model.as_str()).await?),
        },
        NamedThing::Version(model, version) => {
            let is_dataset =
                !is_model(known, project, &model).await? && has_dataset(known, project, model.as_str()).await?;
            if is_dataset {
                return Err(Problem::invalid(format!(
                    "something is said of dataset `{model}`, not of one of its versions"
                ))
                .hint(format!("write `dataset:{model}`")));
            }
            let number = find_version(known, project, &model, &version).await?.number;
            Ok(Thing::Version(model, number))
        }
        NamedThing::Dataset(dataset) => match has_dataset(known, project, dataset.as_str()).await? {
            true => Ok(Thing::Dataset(dataset)),
            false => Err(no_thing(known, project, dataset.as_str()).await?),
        },
        NamedThing::Endpoint(endpoint) => {
            known.found_endpoint(project, &endpoint).await?;
            Ok(Thing::Endpoint(endpoint))
        }
        NamedThing::Any(name) => only_one(known, project, &name).await,
    }
}

async fn only_one(known: &Known, project: &ProjectName, name: &str) -> Result<Thing, Problem> {
    let mut found = Vec::new();
    if let Ok(model) = ModelName::new(name)
        && is_model(known, project, &model).await?
    {
        found.push(Thing::Model(model));
    }
    if let Ok(dataset) = DatasetName::new(name)
        && has_dataset(known, project, name).await?
    {
        found.push(Thing::Dataset(dataset));
    }
    if let Ok(endpoint) = EndpointName::new(name)
        && known.endpoint_if_any(&endpoint).await?.is_some_and(|found| found.project == *project)
    {
        found.push(Thing::Endpoint(endpoint));
    }
    match (found.pop(), found.as_slice()) {
        (None, _) => Err(no_thing(known, project, name).await?),
        (Some(thing), []) => Ok(thing),
        (Some(last), others) => {
            let kinds: Vec<&str> = others.iter().chain([&last]).map(Thing::kind).collect();
            let names: Vec<String> = others.iter().chain([&last]).map(|thing| format!("`{thing}`")).collect();
            let message = format!("`{name}` is the name of several things: {}", kinds.join(", "));
            Err(Problem::invalid(message).hint(format!("write {}", names.join(" or "))))
        }
    }
}

async fn is_model(known: &Known, project: &ProjectName, model: &ModelName) -> Result<bool, Problem> {
    Ok(known.model_names(project).await?.contains(model))
}

async fn has_dataset(known: &Known, project: &ProjectName, name: &str) -> Result<bool, Problem> {
    let Ok(dataset) = DatasetName::new(name) else { return Ok(false) };
    Ok(!known.dataset_versions_if_any(project, &dataset).await?.is_empty())
}

async fn no_thing(known: &Known, project: &ProjectName, name: &str) -> Result<Problem, Problem> {
    let models = known.model_names(project).await?.into_iter().map(|name| format!("model:{name}"));
    let datasets = known.datasets(project).await?.into_iter().map(|one| format!("dataset:{}", one.dataset));
    let endpoints = known.endpoint_names(project).await?.into_iter().map(|name| format!("endpoint:{name}"));
    let all: Vec<String> = models.chain(datasets).chain(endpoints).collect();
    let fallback = "something can be said of `project`, a model, `MODEL@VERSION`, a dataset or an endpoint";
    let hint = near::hint(name, all.iter().map(String::as_str), fallback);
    Ok(Problem::not_found(format!("there is no `{name}` in project `{project}`")).hint(hint))
}
