use std::process::ExitCode;

use clap::Args;
use stemma_api::types::Sides;
use stemma_core::Problem;

use crate::{global::Global, print::Output, session, view};

/// Compare two model versions: metrics, data, code, packages, and which one to prefer
///
/// Both are evaluated now on the data that the second one's model declares. A difference counts only if its paired
/// interval leaves out zero.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// As in `credit-score@1.0.0`
    #[arg(value_name = "A")]
    a: String,
    /// As in `credit-score@champion`
    #[arg(value_name = "B")]
    b: String,
}

pub async fn run(args: CompareArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let sides = Sides { a: args.a, b: args.b };
    let found = session::with(global, async |session| session.client.compare(&session.project, &sides).await);
    let found = found.await?;
    output.result(&found, || view::compare::text(&found, output));
    Ok(ExitCode::SUCCESS)
}
