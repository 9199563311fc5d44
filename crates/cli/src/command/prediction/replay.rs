use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{OutputComparison, Replay};
use stemma_core::{ErrorKind, Problem};

use crate::{
    argument::prediction,
    global::Global,
    print::{self, Output},
    session,
    view::endpoint::{VALUE_CHARS, values},
};

/// Run a prediction again and compare the bits
///
/// The same model version gets the same input. Ends with exit code 8 if the answer is not the same to the last bit.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The prediction's id, as in `pred_…`
    prediction: String,
}

pub async fn run(args: ReplayArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let id = prediction(&args.prediction)?;
    let replay = session::with(global, async |session| session.client.replay(&id).await).await?;
    output.result(&replay, || text(&replay, output));
    if replay.same_bits { Ok(ExitCode::SUCCESS) } else { Ok(ExitCode::from(ErrorKind::Corrupt.exit_code())) }
}

fn text(replay: &Replay, output: &Output) -> String {
    let by = format!("{} by {}", replay.prediction, replay.version);
    if replay.same_bits {
        let steps = replay.nodes.iter().map(|node| format!("{} (same)", node.node)).collect::<Vec<_>>();
        let steps = if steps.is_empty() { String::new() } else { format!(", steps {}", steps.join(", ")) };
        return format!("{}: {by}{steps}", output.green("same bits"));
    }
    let row = |one: &OutputComparison| {
        let same = if one.same_bits { "yes" } else { "no" };
        vec![one.name.clone(), same.to_owned(), values(&one.recorded, VALUE_CHARS), values(&one.replayed, VALUE_CHARS)]
    };
    let table = print::table(&["output", "same", "recorded", "replayed"], replay.outputs.iter().map(row));
    let wrong = replay.nodes.iter().filter(|node| !node.same_bits);
    let wrong: String =
        wrong.map(|node| format!("step {} ({}) gives something else\n", node.node, node.version)).collect();
    format!("{}: {by}\n{wrong}{table}", output.red("not the same bits"))
}
