use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{GateResults, GateStanding, RunGates};
use stemma_core::{ErrorKind, Problem, name::ModelName};

use super::{Global, model_and_version};
use crate::{print::Output, session, view};

/// Run the gates of a model version
///
/// Ends with exit code 6 if one failed. The results are evidence, bound to the version's content and the gate's
/// declaration.
#[derive(Debug, Args)]
pub struct GateArgs {
    /// As in `credit-score@1.1.0`; a name alone means the newest version
    #[arg(value_name = "MODEL@VERSION")]
    version: String,
    /// Which gates; all that are declared if none is named
    #[arg(value_name = "GATE")]
    gates: Vec<String>,
    /// Run nothing; show the newest results
    #[arg(long, conflicts_with = "gates")]
    last: bool,
}

pub async fn run(args: GateArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (model, version) = model_and_version(&args.version)?;
    if args.last {
        return last(&model, &version, global, output).await;
    }
    let gates = RunGates { gates: args.gates };
    let results = session::with(global, async |session| {
        session.client.run_gates(&session.project, &model, &version, &gates).await
    });
    let results = results.await?;
    output.result(&results, || text(&results, output));
    if results.results.iter().all(|result| result.passed) {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::from(ErrorKind::Refused.exit_code()))
    }
}

async fn last(model: &ModelName, version: &str, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let standings =
        session::with(global, async |session| session.client.gate_standings(&session.project, model, version).await);
    let standings = standings.await?;
    output.result(&standings, || {
        let gates = standings.gates.iter().map(|gate| view::gate::standing(gate, output));
        let gates = if standings.gates.is_empty() {
            "no gates are declared".to_owned()
        } else {
            gates.collect::<Vec<_>>().join("\n")
        };
        format!("{}\n{gates}", output.bold(&standings.version))
    });
    let is_green = |gate: &GateStanding| !gate.stale && gate.report.as_ref().is_some_and(|report| report.passed);
    match standings.gates.iter().all(is_green) {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::from(ErrorKind::Refused.exit_code())),
    }
}

fn text(results: &GateResults, output: &Output) -> String {
    if results.results.is_empty() {
        return format!("{}  no gates are declared", results.version);
    }
    let gates = results.results.iter().map(|result| view::gate::report(result, output));
    format!("{}\n{}", output.bold(&results.version), gates.collect::<Vec<_>>().join("\n"))
}
