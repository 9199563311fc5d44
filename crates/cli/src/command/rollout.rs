use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_api::types::{ChangeRollout, RolloutAct};
use stemma_core::{Problem, name::EndpointName};

use super::Global;
use crate::{print::Output, session, view};

/// Watch and steer a canary
///
/// `stemma deploy ENDPOINT --canary MODEL@VERSION --weight PERCENT` begins one. Each change is a new revision; a unit
/// that is in the canary stays in it while the weight grows.
#[derive(Debug, Args)]
pub struct RolloutArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// How each arm fares
    Status {
        /// The endpoint's name
        endpoint: EndpointName,
    },
    /// Give the canary another share of the units
    Weight {
        /// The endpoint's name
        endpoint: EndpointName,
        /// From 0 to 100
        percent: f64,
        #[command(flatten)]
        why: Why,
    },
    /// Let the canary answer everybody
    Promote {
        /// The endpoint's name
        endpoint: EndpointName,
        #[command(flatten)]
        why: Why,
    },
    /// End the canary; what was there before answers everybody
    Abort {
        /// The endpoint's name
        endpoint: EndpointName,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Debug, Args)]
struct Why {
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub async fn run(args: RolloutArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (endpoint, act, why) = match args.act {
        Act::Status { endpoint } => return status(&endpoint, global, output).await,
        Act::Weight { endpoint, percent, why } => (endpoint, RolloutAct::Weight { percent }, why),
        Act::Promote { endpoint, why } => (endpoint, RolloutAct::Promote, why),
        Act::Abort { endpoint, why } => (endpoint, RolloutAct::Abort, why),
    };
    let change = ChangeRollout { act, reason: why.reason.unwrap_or_default() };
    let deployed = session::with(global, async |session| {
        session.client.change_rollout(&session.project, &endpoint, &change).await
    });
    let deployed = deployed.await?;
    output.result(&deployed, || format!("{}  serves {}", deployed.name(), view::endpoint::targets(&deployed)));
    Ok(ExitCode::SUCCESS)
}

async fn status(endpoint: &EndpointName, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let detail = session::with(global, async |session| session.client.endpoint(&session.project, endpoint).await);
    let detail = detail.await?;
    output.result(&detail.arms, || view::endpoint::rollout(&detail, output));
    Ok(ExitCode::SUCCESS)
}
