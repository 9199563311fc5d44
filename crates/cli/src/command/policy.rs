use std::{collections::BTreeMap, process::ExitCode};

use clap::{Args, Subcommand};
use serde::Serialize;
use stemma_core::{ErrorKind, Problem, name::ModelName, policy::ModelPolicy};

use super::Global;
use crate::{
    declared,
    print::Output,
    session::{self, Session},
};

/// A model's rules: its evaluation, its gates, and what promotion needs
#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Show the rules that hold, as `stemma.toml` would declare them
    Show {
        /// The model whose rules to show
        model: ModelName,
    },
    /// Make the rules that `stemma.toml` declares hold, for one model or for all that it declares
    ///
    /// Paths are replaced by the dataset versions that `stemma.lock` has for them now.
    Apply {
        /// The model whose rules to apply; without it, all
        model: Option<ModelName>,
    },
}

#[derive(Serialize)]
struct Applied {
    model: ModelName,
    changed: bool,
    policy: ModelPolicy,
}

pub async fn run(args: PolicyArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    match args.act {
        Act::Show { model } => show(&model, global, output).await?,
        Act::Apply { model } => {
            let applied =
                session::with(global, async |session| apply(session, model.as_ref()).await);
            let applied = applied.await?;
            output.result(&applied, || text(&applied));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(model: &ModelName, global: &Global, output: &Output) -> Result<(), Problem> {
    let state = session::with(global, async |session| {
        session.client.policy(&session.project, model).await
    });
    let policy = state.await?.policy;
    let declaration = BTreeMap::from([("model", BTreeMap::from([(model.as_str(), &policy)]))]);
    let text = toml::to_string(&declaration).map_err(|error| {
        Problem::new(
            ErrorKind::Internal,
            format!("the policy of `{model}`: {error}"),
        )
    })?;
    output.result(&policy, || text);
    Ok(())
}

async fn apply(session: &Session, model: Option<&ModelName>) -> Result<Vec<Applied>, Problem> {
    let declared: Vec<ModelName> = session
        .workspace()?
        .settings()
        .models
        .keys()
        .cloned()
        .collect();
    let models = match model {
        None => declared,
        Some(model) if declared.contains(model) => vec![model.clone()],
        Some(model) => {
            return Err(Problem::not_found(format!(
                "stemma.toml declares nothing for model `{model}`"
            ))
            .hint(format!(
                "add `[model.{model}.evaluation]`, gates or promotion rules to it"
            )));
        }
    };
    let mut applied = Vec::new();
    for model in models {
        if let Some(policy) = declared::policy(session, &model).await? {
            let state = declared::apply(session, &model, policy).await?;
            applied.push(Applied {
                model,
                changed: state.changed,
                policy: state.policy,
            });
        }
    }
    Ok(applied)
}

fn text(applied: &[Applied]) -> String {
    if applied.is_empty() {
        return "stemma.toml declares no rules for any model".to_owned();
    }
    let lines = applied.iter().map(|one| {
        let what = if one.changed { "changed" } else { "unchanged" };
        format!("{}  {what}", one.model)
    });
    lines.collect::<Vec<_>>().join("\n")
}
