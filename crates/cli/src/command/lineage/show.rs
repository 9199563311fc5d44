use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use stemma_api::{
    Client,
    types::{Page, Resolved},
};
use stemma_core::{
    ErrorKind, Problem,
    id::RunId,
    name::{DatasetName, EndpointName, ModelName, ProjectName},
};

use crate::{
    argument::{AtArgs, model_and_version, prediction},
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
    #[command(flatten)]
    when: AtArgs,
}

/// A question about a thing of a project, and how its answer is printed.
struct Question<'a> {
    client: Client,
    project: &'a ProjectName,
    output: &'a Output,
}

pub async fn run(args: ShowArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    session::with(global, async |session| show(session, &args, output).await).await?;
    Ok(ExitCode::SUCCESS)
}

async fn show(session: &Session, args: &ShowArgs, output: &Output) -> Result<(), Problem> {
    let thing = &thing(session, &args.thing)?;
    if thing.starts_with("pred_") {
        return match args.when.at {
            None => why::show(session, &prediction(thing)?, output).await,
            Some(_) => Err(Problem::invalid("a prediction never changes").hint("leave `--at` out")),
        };
    }
    let client = session.client.clone().at(args.when.at);
    let question = Question { client, project: &session.project, output };
    if let Ok(run) = thing.parse::<RunId>() {
        let detail = question.client.run(question.project, run).await?;
        return question.answer(&detail, || view::run::text(&detail));
    }
    if let Some((endpoint, _)) = thing.split_once('#').filter(|_| !thing.contains("://")) {
        return question.endpoint(&endpoint.parse()?).await;
    }
    if !thing.contains(['@', ':', '/', '.']) {
        return question.named(thing).await;
    }
    question.resolved(thing).await
}

impl Question<'_> {
    fn answer(&self, answer: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Problem> {
        self.output.dated(self.client.told_as_of(), answer, text);
        Ok(())
    }

    /// A name alone is a model, else an endpoint, else a dataset.
    async fn named(&self, name: &str) -> Result<(), Problem> {
        let model: ModelName = name.parse()?;
        match self.client.model(self.project, &model).await {
            Ok(detail) => {
                let title = self.output.bold(name);
                return self.answer(&detail, || format!("{title}\n{}", models::versions(&detail)));
            }
            Err(problem) if problem.kind != ErrorKind::NotFound => return Err(problem),
            Err(_) => {}
        }
        match self.endpoint(&name.parse()?).await {
            Err(problem) if problem.kind == ErrorKind::NotFound => {}
            shown => return shown,
        }
        self.resolved(name).await
    }

    async fn resolved(&self, thing: &str) -> Result<(), Problem> {
        let resolved = self.client.resolve(self.project, thing).await?;
        match resolved.kind.as_str() {
            "model" => self.version(&resolved).await,
            "dataset" | "external" => self.dataset(&resolved).await,
            _ => self.answer(&resolved, || content(&resolved)),
        }
    }

    async fn endpoint(&self, endpoint: &EndpointName) -> Result<(), Problem> {
        let detail = self.client.whole_endpoint(self.project, endpoint).await?;
        self.answer(&detail, || view::endpoint::text(&detail, self.output))
    }

    async fn version(&self, resolved: &Resolved) -> Result<(), Problem> {
        let (model, version) = model_and_version(&resolved.name)?;
        let detail = self.client.version(self.project, &model, &version).await?;
        self.answer(&detail, || view::version::text(&detail, self.output))
    }

    async fn dataset(&self, resolved: &Resolved) -> Result<(), Problem> {
        let (name, number) = resolved.name.split_once('@').unwrap_or((&resolved.name, ""));
        let dataset: DatasetName = name.parse()?;
        let versions = async |page: &_| self.client.dataset_versions(self.project, &dataset, page).await;
        let version = Page::all(versions).await?.items.into_iter().find(|version| version.number.to_string() == number);
        let version = version.ok_or_else(|| Problem::not_found(format!("there is no `{}`", resolved.name)))?;
        self.answer(&version, || view::dataset::text(&version))
    }
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
