use std::process::ExitCode;

use clap::Args;
use stemma_api::types::Undeploy;
use stemma_core::{Problem, name::EndpointName};

use crate::{command::endpoint::rollout::EndCanary, global::Global, print::Output, session, view};

/// Take an endpoint down
///
/// Nothing answers for it any more; callers are told so, and why. What it answered stays on record, can be explained and
/// replayed, and `stemma deploy` lets something answer again.
#[derive(Debug, Args)]
pub struct UndeployArgs {
    /// The endpoint's name
    endpoint: EndpointName,
    /// Why; callers are told
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    end_canary: EndCanary,
}

pub async fn run(args: UndeployArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let detail = session::with(global, async |session| {
        let end_canary = args.end_canary.or_ask(session, &args.endpoint, None).await?;
        let undeploy = Undeploy { reason: args.reason.clone(), end_canary };
        session.client.undeploy(&session.project, &args.endpoint, &undeploy).await
    });
    let detail = detail.await?;
    output.result(&detail, || {
        format!("{}  {}", detail.endpoint, view::endpoint::taken_down(&detail).unwrap_or_default())
    });
    Ok(ExitCode::SUCCESS)
}
