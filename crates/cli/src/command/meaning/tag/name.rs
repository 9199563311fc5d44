use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{GivenNames, ModelVersion};
use stemma_core::{
    Problem,
    name::VersionLabel,
    version::{Naming, SemverName},
};

use crate::{argument::model_and_version, global::Global, print::Output, session};

/// Give a version a name beside its number, once: it never moves, and names no other version
#[derive(Debug, Args)]
pub struct NameArgs {
    /// As in `credit-score@1.1.0`; a name alone means the newest version
    #[arg(value_name = "MODEL@VERSION")]
    version: String,
    /// By Semantic Versioning, as in `1.4.0`; it is called `v1.4.0` then
    #[arg(long, value_name = "MAJOR.MINOR.PATCH")]
    semver: Option<SemverName>,
    /// In words of your own
    #[arg(long, value_name = "NAME", required_unless_present = "semver")]
    label: Option<VersionLabel>,
}

pub async fn run(args: NameArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (model, version) = model_and_version(&args.version)?;
    let names = GivenNames { semver: args.semver, label: args.label };
    let named = session::with(global, async |session| {
        session.client.name_version(&session.project, &model, &version, &names).await
    });
    let named = named.await?;
    output.result(&named, || text(&named));
    Ok(ExitCode::SUCCESS)
}

fn text(version: &ModelVersion) -> String {
    let names = [Naming::Semver, Naming::Label].into_iter().filter_map(|naming| version.names.get(&naming));
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    format!("{} is called {}", version.name(), names.join(" and "))
}
