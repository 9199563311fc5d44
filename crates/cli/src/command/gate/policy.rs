use std::{collections::BTreeMap, process::ExitCode};

use clap::{Args, Subcommand};
use serde::Serialize;
use stemma_api::types::{PolicyState, SetPolicies};
use stemma_core::{ErrorKind, Problem, name::ModelName, policy::ModelPolicy};

use crate::{
    argument::AtArgs,
    declared,
    global::Global,
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
        #[command(flatten)]
        when: AtArgs,
    },
    /// Make the rules that `stemma.toml` declares hold, for one model or for all that it declares
    ///
    /// All or none: if those of one model can't be set, none are. Paths are replaced by the dataset versions that `stemma.lock` has for them now.
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
        Act::Show { model, when } => show(&model, when, global, output).await?,
        Act::Apply { model } => {
            let applied = session::with(global, async |session| apply(session, model.as_ref(), output).await);
            let applied = applied.await?;
            output.result(&applied, || text(&applied));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(model: &ModelName, when: AtArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    session::with(global, async |session| {
        let client = session.client.clone().at(when.at);
        let policy = client.policy(&session.project, model).await?.policy;
        let text = declaration(model, &policy)?;
        output.dated(client.told_as_of(), &policy, || text);
        Ok(())
    })
    .await
}

/// The rules as `stemma.toml` would declare them.
fn declaration(model: &ModelName, policy: &ModelPolicy) -> Result<String, Problem> {
    let tables = BTreeMap::from([("model", BTreeMap::from([(model.as_str(), policy)]))]);
    toml::to_string(&tables)
        .map_err(|error| Problem::new(ErrorKind::Internal, format!("the rules of `{model}`: {error}")))
}

async fn apply(session: &Session, model: Option<&ModelName>, output: &Output) -> Result<Vec<Applied>, Problem> {
    let declared: Vec<ModelName> = session.workspace()?.settings().models.keys().cloned().collect();
    let models = match model {
        None => declared,
        Some(model) if declared.contains(model) => vec![model.clone()],
        Some(model) => {
            return Err(Problem::not_found(format!("stemma.toml declares nothing for model `{model}`"))
                .hint(format!("add `[model.{model}.evaluation]`, gates or promotion rules to it")));
        }
    };
    let mut policies = BTreeMap::new();
    for model in models {
        if let Some(policy) = declared::policy(session, &model, output).await.map_err(|problem| of(&model, problem))? {
            policies.insert(model, policy);
        }
    }
    if policies.is_empty() {
        return Ok(Vec::new());
    }
    let states = session.client.set_policies(&session.project, &SetPolicies { policies }).await?.policies;
    let applied = |(model, PolicyState { policy, changed })| Applied { model, changed, policy };
    Ok(states.into_iter().map(applied).collect())
}

fn of(model: &ModelName, problem: Problem) -> Problem {
    let message = format!("no rules were set, for those of `{model}` can't be: {}", problem.message);
    Problem { message, ..problem }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use stemma_workspace::Settings;

    use super::*;

    #[test]
    fn what_is_shown_can_be_declared_again() {
        let text = r#"
[model.credit-score.evaluation]
data = "german-credit-test@1"
target = "creditability"
positive = "bad"
slices = ["sex", { column = "age", bins = [25, 40.5] }]
[model.credit-score.gate.applications]
kind = "data-test"
data = "german-credit@1"
max_rows = 1000
strict = true
keys = [["age", "sex"]]
no_overlap = [{ data = "german-credit-test@1", on = ["age"] }]
drift = { reference = "german-credit-test@1", psi_max = 0.2, bins = 20, except = ["sex"] }
[model.credit-score.gate.applications.columns]
age = { type = "integer", min = 18, unique = true, mean = { min = 20 }, quantiles = [{ at = 0.5, max = 40 }] }
sex = { pattern = "[fm]", length_max = 1, missing_max = 0.1 }
[model.credit-score.gate.equal]
kind = "slice-gap"
metric = "tpr"
slice = "sex"
max_gap = 0.1
min_ratio = 0.8
[model.credit-score.gate.everywhere]
kind = "slice-baseline"
metric = "auc"
min = 0.6
min_rows = 50
[model.credit-score.gate.cases]
kind = "regression-cases"
path = "tests/cases"
cases = "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
[model.credit-score.gate.baseline]
kind = "metric-baseline"
metric = "auc"
min = 0.65
[model.credit-score.promotion.production]
gates = ["applications", "baseline"]
approvals = 2
groups = ["risk"]
approvals_expire = "30d"
evidence_expires = "12h"
alias = "champion"
[model.credit-score.groups]
risk = ["rita@bank.example", "ron@bank.example"]
[model.credit-score.emails]
"rita@bank.example" = ["rita@home.example"]
"#;
        let parse = |text: &str| Settings::parse(Path::new("stemma.toml"), text).unwrap().models;
        let declared = parse(text);
        let (model, policy) = declared.first_key_value().unwrap();
        assert_eq!(parse(&declaration(model, policy).unwrap()), declared);
    }
}
