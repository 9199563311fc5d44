use std::process::ExitCode;

use clap::Args;
use stemma_api::types::Deploy;
use stemma_core::{Problem, name::EndpointName, route::LogMode};

use super::Global;
use crate::{print::Output, session, view};

/// Deploy a model version behind an endpoint
///
/// Makes a new revision of the endpoint, and the endpoint if it does not exist. An alias or stage is resolved now:
/// the revision keeps the version that it named.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// The name that clients call
    endpoint: EndpointName,
    /// As in `credit-score@champion`, `credit-score@production` or `credit-score@1.1.0`
    #[arg(long, value_name = "MODEL@VERSION")]
    model: String,
    /// When a request is answered: once its record is on disk, at once, or without a record
    #[arg(long, value_enum, default_value = "durable")]
    log: Log,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Log {
    Durable,
    Fast,
    Off,
}

pub async fn run(args: DeployArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let log = match args.log {
        Log::Durable => LogMode::Durable,
        Log::Fast => LogMode::Fast,
        Log::Off => LogMode::Off,
    };
    let deploy = Deploy { model: args.model, log, reason: args.reason.unwrap_or_default() };
    let deployed =
        session::with(global, async |session| session.client.deploy(&session.project, &args.endpoint, &deploy).await);
    let deployed = deployed.await?;
    output.result(&deployed, || format!("{}  serves {}", deployed.name(), view::endpoint::targets(&deployed)));
    Ok(ExitCode::SUCCESS)
}
