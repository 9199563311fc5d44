use std::process::ExitCode;

use clap::Args;
use stemma_core::{ErrorKind, Problem, record::CheckResult};

use crate::{argument::model_and_version, global::Global, print::Output, session};

/// Ask a model version in a sandbox, and bless it if it answers as it should
///
/// A process of its own, without network and with little time and memory, loads the version and answers rows of its
/// evaluation data: as recorded, and twice the same. The result is evidence. Ends with exit code 6 if it is not blessed.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// As in `credit-score@1.1.0`; a name alone means the newest version
    #[arg(value_name = "MODEL@VERSION")]
    version: String,
}

pub async fn run(args: ValidateArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (model, version) = model_and_version(&args.version)?;
    let found =
        session::with(global, async |session| session.client.validate(&session.project, &model, &version).await);
    let found = found.await?;
    output.result(&found, || {
        let verdict = if found.report.passed { output.green("blessed") } else { output.red("not blessed") };
        let line = |check: &CheckResult| {
            let mark = if check.passed { output.green("ok") } else { output.red("no") };
            format!("  {mark}  {}: {}", check.what, check.found)
        };
        let checks = found.report.checks.iter().map(line).collect::<Vec<_>>().join("\n");
        format!("{}  {verdict}\n{checks}", output.bold(&found.version))
    });
    match found.report.passed {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::from(ErrorKind::Refused.exit_code())),
    }
}
