use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{Canary, Deploy};
use stemma_core::{
    Problem,
    endpoint::declaration::{EndpointSpec, LogMode},
    name::EndpointName,
    near,
};

use crate::{
    command::endpoint::rollout::EndCanary,
    global::Global,
    print::Output,
    session::{self, Session},
    view,
};

/// Deploy model versions behind an endpoint
///
/// Makes a new revision of the endpoint, and the endpoint if it does not exist. Without `--model` the endpoint is made
/// as `[endpoint.NAME]` of `stemma.toml` declares it: steps, outputs and overrides. An alias or stage is resolved now:
/// the revision keeps the version that it named.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// The name that clients call
    endpoint: EndpointName,
    /// One model, as in `credit-score@champion`, `credit-score@production` or `credit-score@1.1.0`
    #[arg(long, value_name = "MODEL@VERSION")]
    model: Option<String>,
    /// A version to try out on a share of the units, in place of the same model's version
    #[arg(long, value_name = "MODEL@VERSION", requires = "weight")]
    canary: Option<String>,
    /// Percent of the units that the canary answers
    #[arg(long, value_name = "PERCENT", requires = "canary")]
    weight: Option<f64>,
    /// When a request is answered: once its record is on disk, at once, or without a record
    #[arg(long, value_enum)]
    log: Option<Log>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    end_canary: EndCanary,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Log {
    Durable,
    Fast,
    Off,
}

impl From<Log> for LogMode {
    fn from(log: Log) -> Self {
        match log {
            Log::Durable => Self::Durable,
            Log::Fast => Self::Fast,
            Log::Off => Self::Off,
        }
    }
}

pub async fn run(args: DeployArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let deployed = session::with(global, async |session| {
        let mut spec = match &args.model {
            Some(model) => EndpointSpec::of_one(model.clone(), LogMode::default()),
            None => declared(session, &args.endpoint)?,
        };
        spec.log = args.log.map_or(spec.log, LogMode::from);
        let canary = args.canary.clone().zip(args.weight);
        let canary = canary.map(|(model, weight_percent)| Canary { model, weight_percent });
        let end_canary = args.end_canary.or_ask(session, &args.endpoint, args.canary.as_deref()).await?;
        let deploy = Deploy { spec, canary, reason: args.reason.clone().unwrap_or_default(), end_canary };
        session.client.deploy(&session.project, &args.endpoint, &deploy).await
    });
    let deployed = deployed.await?;
    output.result(&deployed, || format!("{}  serves {}", deployed.name(), view::endpoint::targets(&deployed)));
    Ok(ExitCode::SUCCESS)
}

/// What `stemma.toml` says of the endpoint.
fn declared(session: &Session, endpoint: &EndpointName) -> Result<EndpointSpec, Problem> {
    let hint = format!("give one model with `--model`, or declare `[[endpoint.{endpoint}.step]]` in stemma.toml");
    let endpoints = &session.workspace().map_err(|problem| problem.hint(hint.clone()))?.settings().endpoints;
    endpoints.get(endpoint).cloned().ok_or_else(|| {
        let known = endpoints.keys().map(EndpointName::as_str);
        Problem::invalid(format!("stemma.toml declares no endpoint `{endpoint}`")).hint(near::hint(
            endpoint.as_str(),
            known,
            &hint,
        ))
    })
}
