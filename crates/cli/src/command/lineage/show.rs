use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{Page, Resolved};
use stemma_core::{
    ErrorKind, Problem,
    id::RunId,
    name::{DatasetName, EndpointName, ModelName},
};

use crate::{
    argument::{model_and_version, prediction},
    command::{model::models, prediction::why},
    global::Global,
    print::{self, Output},
    session::{self, Session, thing},
    view,
};

/// Show a thing: a run, a model or dataset version, an endpoint, a prediction, content
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A run's id, `model@version`, `dataset@number`, `endpoint`, `endpoint#revision`, `pred_…`, `b3:…` (whole or as
    /// printed), `sha256:…`, a path, or the URL of a source
    #[arg(value_name = "THING")]
    thing: String,
}

pub async fn run(args: ShowArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    session::with(global, async |session| show(session, &thing(session, &args.thing)?, output).await).await?;
    Ok(ExitCode::SUCCESS)
}

async fn show(session: &Session, thing: &str, output: &Output) -> Result<(), Problem> {
    if thing.starts_with("pred_") {
        return why::show(session, &prediction(thing)?, output).await;
    }
    if let Ok(run) = thing.parse::<RunId>() {
        let detail = session.client.run(&session.project, run).await?;
        output.result(&detail, || view::run::text(&detail));
        return Ok(());
    }
    if let Some((endpoint, _)) = thing.split_once('#').filter(|_| !thing.contains("://")) {
        return show_endpoint(session, &endpoint.parse()?, output).await;
    }
    if !thing.contains(['@', ':', '/', '.']) {
        return show_named(session, thing, output).await;
    }
    let resolved = session.client.resolve(&session.project, thing).await?;
    show_resolved(session, &resolved, output).await
}

async fn show_resolved(session: &Session, resolved: &Resolved, output: &Output) -> Result<(), Problem> {
    match resolved.kind.as_str() {
        "model" => show_version(session, resolved, output).await,
        "dataset" | "external" => show_dataset(session, resolved, output).await,
        _ => {
            output.result(resolved, || content(resolved));
            Ok(())
        }
    }
}

/// A name alone is a model, else an endpoint, else a dataset.
async fn show_named(session: &Session, name: &str, output: &Output) -> Result<(), Problem> {
    let model: ModelName = name.parse()?;
    match session.client.model(&session.project, &model).await {
        Ok(detail) => {
            output.result(&detail, || format!("{}\n{}", output.bold(name), models::versions(&detail)));
            return Ok(());
        }
        Err(problem) if problem.kind != ErrorKind::NotFound => return Err(problem),
        Err(_) => {}
    }
    match show_endpoint(session, &name.parse()?, output).await {
        Err(problem) if problem.kind == ErrorKind::NotFound => {}
        shown => return shown,
    }
    let resolved = session.client.resolve(&session.project, name).await?;
    show_resolved(session, &resolved, output).await
}

async fn show_endpoint(session: &Session, endpoint: &EndpointName, output: &Output) -> Result<(), Problem> {
    let detail = session.client.whole_endpoint(&session.project, endpoint).await?;
    output.result(&detail, || view::endpoint::text(&detail, output));
    Ok(())
}

async fn show_version(session: &Session, resolved: &Resolved, output: &Output) -> Result<(), Problem> {
    let (model, version) = model_and_version(&resolved.name)?;
    let detail = session.client.version(&session.project, &model, &version).await?;
    output.result(&detail, || view::version::text(&detail, output));
    Ok(())
}

async fn show_dataset(session: &Session, resolved: &Resolved, output: &Output) -> Result<(), Problem> {
    let (name, number) = resolved.name.split_once('@').unwrap_or((&resolved.name, ""));
    let dataset: DatasetName = name.parse()?;
    let versions = async |page: &_| session.client.dataset_versions(&session.project, &dataset, page).await;
    let version = Page::all(versions).await?.items.into_iter().find(|version| version.number.to_string() == number);
    let version = version.ok_or_else(|| Problem::not_found(format!("there is no `{}`", resolved.name)))?;
    output.result(&version, || view::dataset::text(&version));
    Ok(())
}

fn content(resolved: &Resolved) -> String {
    let sha256 = resolved.sha256.map(|sha256| sha256.to_string());
    view::facts(&[
        ("content", resolved.digest.to_string()),
        ("also", sha256.unwrap_or_default()),
        ("size", print::bytes(resolved.size)),
        ("file", resolved.file_name.clone()),
    ])
}
