use std::process::ExitCode;

use clap::Args;
use stemma_core::Problem;

use crate::{argument::model_and_version, global::Global, print::Output, session, view::evaluation};

/// Evaluate a model version as its model declares
///
/// The home runs the model on the declared data itself. The result is evidence, bound to the version's content.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// As in `credit-score@1.1.0`; a name alone means the newest version
    #[arg(value_name = "MODEL@VERSION")]
    version: String,
}

pub async fn run(args: EvaluateArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (model, version) = model_and_version(&args.version)?;
    let evaluated =
        session::with(global, async |session| session.client.evaluate(&session.project, &model, &version).await);
    let evaluated = evaluated.await?;
    output.result(&evaluated, || {
        let report = &evaluated.report;
        let headline = evaluation::headline(report);
        format!("{}  {headline}\n\n{}", output.bold(&evaluated.version), evaluation::table(report))
    });
    Ok(ExitCode::SUCCESS)
}
