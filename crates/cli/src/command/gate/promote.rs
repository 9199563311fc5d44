use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{Promote, Promoted};
use stemma_core::{Problem, policy::Stage};

use crate::{
    argument::{model_and_version, stage},
    global::Global,
    print::Output,
    session,
};

/// Move a model version to a stage
///
/// Refused with everything that is missing when the model's rules ask for gates or approvals that are not there.
#[derive(Debug, Args)]
pub struct PromoteArgs {
    /// As in `credit-score@1.1.0`; a name alone means the newest version
    #[arg(value_name = "MODEL@VERSION")]
    version: String,
    /// Where to
    #[arg(value_parser = stage())]
    stage: Stage,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub async fn run(args: PromoteArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (model, version) = model_and_version(&args.version)?;
    let promote = Promote { stage: args.stage, reason: args.reason.unwrap_or_default() };
    let promoted = session::with(global, async |session| {
        session.client.promote(&session.project, &model, &version, &promote).await
    });
    let promoted = promoted.await?;
    output.result(&promoted, || text(&promoted));
    Ok(ExitCode::SUCCESS)
}

fn text(promoted: &Promoted) -> String {
    let Promoted { version, promotion, alias } = promoted;
    let alias = alias.as_ref().map(|alias| format!(", `@{alias}` points at it now"));
    format!("{}  {} → {}{}", version.name(), promotion.from, promotion.to, alias.unwrap_or_default())
}
