use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_api::types::{DatasetFromFeedback, FeedbackDataset};
use stemma_core::{
    Problem,
    name::{DatasetName, EndpointName},
    written_time::WrittenTime,
};

use crate::{argument, global::Global, print::Output, session};

/// Make dataset versions of what the home knows
#[derive(Debug, Args)]
pub struct DatasetArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    FromFeedback(FromFeedbackArgs),
}

/// Make a dataset version of an endpoint's predictions and what came of them
///
/// It has a column for each input, and `label`: the newest that was told. The revisions that answered stand above it in
/// the family tree, so that a model which learns from it shows the loop. Whoever may read the project may read it.
#[derive(Debug, Args)]
struct FromFeedbackArgs {
    /// The endpoint's name
    endpoint: EndpointName,
    /// Predictions that were answered no earlier
    #[arg(long, value_name = "TIME")]
    since: String,
    /// Predictions that were answered no later; now unless given
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The dataset's name; `ENDPOINT-feedback` unless given
    #[arg(long)]
    name: Option<DatasetName>,
}

pub async fn run(args: DatasetArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let Command::FromFeedback(args) = args.command;
    let since = argument::moment("--since", &args.since, WrittenTime::start)?;
    let until = args.until.as_deref().map(|text| argument::moment("--until", text, WrittenTime::last)).transpose()?;
    let ask = DatasetFromFeedback { dataset: args.name, since, until };
    let made = session::with(global, async |session| {
        session.client.dataset_from_feedback(&session.project, &args.endpoint, &ask).await
    });
    let made = made.await?;
    output.result(&made, || text(&made));
    Ok(ExitCode::SUCCESS)
}

fn text(made: &FeedbackDataset) -> String {
    let FeedbackDataset { version, unchanged, rows, answered_by, left_out } = made;
    let known = if *unchanged { ", which it had already" } else { "" };
    let mut text = format!("{}: {rows} rows answered by {}{known}\n", version.name(), answered_by.join(", "));
    for one in left_out {
        text.push_str(&format!("left out: {one}\n"));
    }
    text
}
