use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_api::types::{ChangeRollout, RolloutAct};
use stemma_core::{ErrorKind, Problem, name::EndpointName};

use crate::{
    confirm::{self, Answer},
    global::Global,
    print::Output,
    session::{self, Session},
    view,
};

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

/// Whether a running canary may end.
#[derive(Debug, Args)]
pub struct EndCanary {
    /// End a canary that runs; otherwise you are asked, or it is refused
    #[arg(long)]
    end_canary: bool,
}

impl EndCanary {
    /// Asks the person at the terminal if a canary runs that is not the one to `keep`; the server has the last word.
    pub async fn or_ask(
        &self,
        session: &Session,
        endpoint: &EndpointName,
        keep: Option<&str>,
    ) -> Result<bool, Problem> {
        if self.end_canary || !confirm::is_possible() {
            return Ok(self.end_canary);
        }
        let detail = match session.client.endpoint(&session.project, endpoint).await {
            Ok(detail) => detail,
            Err(problem) if problem.kind == ErrorKind::NotFound => return Ok(false),
            Err(problem) => return Err(problem),
        };
        let canary = detail.live_revision().and_then(|live| live.revision.canary_ended_by(None));
        match canary.filter(|canary| !canary.versions.iter().any(|version| Some(version.as_str()) == keep)) {
            None => Ok(false),
            Some(canary) => match confirm::ask(&format!("this ends the canary of {endpoint}: {canary}. end it?")) {
                Answer::Yes => Ok(true),
                Answer::No | Answer::NobodyThere => Err(Problem::invalid("nothing was changed")),
            },
        }
    }
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
