use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{ModelDetail, ModelSummary, ModelVersion, Page};
use stemma_core::{Problem, name::ModelName};

use crate::{
    argument::AtArgs,
    global::Global,
    print::{self, Output},
    session,
    view::{self, evaluation},
};

/// List models, or the versions of one with the reason for each number
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// The model whose versions to list
    model: Option<ModelName>,
    #[command(flatten)]
    when: AtArgs,
}

pub async fn run(args: ModelsArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    session::with(global, async |session| {
        let (client, project) = (&session.client.clone().at(args.when.at), &session.project);
        match &args.model {
            Some(model) => {
                let detail = client.model(project, model).await?;
                output.dated(client.told_as_of(), &detail, || versions(&detail));
            }
            None => {
                let page = Page::all(async |page| client.models(project, page).await).await?;
                output.dated(client.told_as_of(), &page, || list(&page.items));
            }
        }
        Ok(ExitCode::SUCCESS)
    })
    .await
}

fn list(models: &[ModelSummary]) -> String {
    let row = |model: &ModelSummary| {
        let aliases = model.aliases.iter().map(|(alias, number)| format!("@{alias} {number}"));
        let kept_back = |number| if model.quarantined.contains(number) { " (in quarantine)" } else { "" };
        let production = model.production.iter().map(|number| format!("{number}{}", kept_back(number)));
        vec![
            model.model.to_string(),
            model.versions.to_string(),
            model.newest.map(|number| number.to_string()).unwrap_or_default(),
            production.collect::<Vec<_>>().join(", "),
            aliases.collect::<Vec<_>>().join(", "),
        ]
    };
    let header = ["model", "versions", "newest", "production", "aliases"];
    print::table(&header, models.iter().map(row))
}

/// The versions of a model, newest first; `stemma show` does the same.
pub fn versions(detail: &ModelDetail) -> String {
    let primary = detail.policy.evaluation.as_ref().map_or("metric", |spec| spec.primary.as_str());
    let header = ["version", "stage", "aliases", primary, "reason", "registered by"];
    let rows = detail.versions.iter().map(|version| row(version, detail));
    match detail.policy.naming {
        None => print::table(&header, rows),
        Some(naming) => {
            let header = [&[naming.as_str()][..], &header].concat();
            let names = detail.versions.iter().map(|version| version.names.get(&naming).map_or("–", String::as_str));
            print::table(&header, names.zip(rows).map(|(name, row)| [vec![name.to_owned()], row].concat()))
        }
    }
}

fn row(version: &ModelVersion, detail: &ModelDetail) -> Vec<String> {
    let number = version.number.to_string();
    let by = if detail.by_command.contains(&number) { ", by command" } else { "" };
    let primary = detail.primary.get(&number).map(|value| format!("{}{by}", evaluation::number(*value)));
    let aliases: Vec<String> = version.aliases.iter().map(|alias| format!("@{alias}")).collect();
    vec![
        number,
        view::stage(version),
        aliases.join(" "),
        primary.unwrap_or_else(|| "–".to_owned()),
        version.reason.clone(),
        view::by(&version.registered),
    ]
}
