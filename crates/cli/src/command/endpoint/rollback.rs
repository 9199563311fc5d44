use std::process::ExitCode;

use clap::Args;
use stemma_api::types::Rollback;
use stemma_core::{Problem, name::EndpointName};

use crate::{command::endpoint::rollout::EndCanary, global::Global, print::Output, session, view};

/// Let an earlier revision of an endpoint answer again
///
/// Nothing is built or copied: the pointer to the revision that answers is moved. Without `--to` it goes to the
/// revision before the live one; what was rolled back from is not gone back to.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The endpoint's name
    endpoint: EndpointName,
    /// The number of the revision
    #[arg(long, value_name = "NUMBER")]
    to: Option<u32>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    end_canary: EndCanary,
}

pub async fn run(args: RollbackArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let live = session::with(global, async |session| {
        let end_canary = args.end_canary.or_ask(session, &args.endpoint, None).await?;
        let rollback = Rollback { to: args.to, reason: args.reason.clone().unwrap_or_default(), end_canary };
        session.client.roll_back(&session.project, &args.endpoint, &rollback).await
    });
    let live = live.await?;
    output.result(&live, || format!("{}  answers again: {}", live.name(), view::endpoint::targets(&live)));
    Ok(ExitCode::SUCCESS)
}
