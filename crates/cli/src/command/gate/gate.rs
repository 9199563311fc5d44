use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{GateResults, GateStanding, RunGates};
use stemma_core::{Digest, ErrorKind, Problem, case, name::ModelName, policy::GateSpec};

use crate::{
    argument::{AtArgs, model_and_version},
    declared,
    global::Global,
    print::Output,
    session::{self, Session},
    view,
};

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
    #[command(flatten)]
    when: AtArgs,
}

pub async fn run(args: GateArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (model, version) = model_and_version(&args.version)?;
    if args.last {
        return last(&model, &version, args.when, global, output).await;
    }
    if args.when.at.is_some() {
        return Err(
            Problem::invalid("gates are run now, not in the past").hint("`--last --at` shows the results of then")
        );
    }
    let gates = RunGates { gates: args.gates };
    let results = session::with(global, async |session| {
        note_changed_cases(session, &model, output).await?;
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

/// Says so if the folder holds other cases than those that the gates know.
async fn note_changed_cases(session: &Session, model: &ModelName, output: &Output) -> Result<(), Problem> {
    let Some(workspace) = &session.workspace else {
        return Ok(());
    };
    let Some(declared) = workspace.settings().models.get(model) else {
        return Ok(());
    };
    let Some(current) = declared::current(session, model).await? else {
        return Ok(());
    };
    for (name, gate) in &declared.gates {
        let (GateSpec::RegressionCases { path, .. }, Some(GateSpec::RegressionCases { cases: Some(known), .. })) =
            (gate, current.gates.get(name))
        else {
            continue;
        };
        let packed = workspace.cases(path).and_then(case::pack);
        if packed.is_ok_and(|bytes| Digest::of(&bytes) != *known) {
            output.note(format!(
                "the cases in `{path}` are others than gate `{name}` knows; `stemma policy apply {model}`"
            ));
        }
    }
    Ok(())
}

async fn last(
    model: &ModelName,
    version: &str,
    when: AtArgs,
    global: &Global,
    output: &Output,
) -> Result<ExitCode, Problem> {
    let (standings, as_of) = session::with(global, async |session| {
        let client = session.client.clone().at(when.at);
        Ok((client.gate_standings(&session.project, model, version).await?, client.told_as_of()))
    })
    .await?;
    output.dated(as_of, &standings, || {
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
