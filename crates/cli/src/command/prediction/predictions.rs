mod import;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_api::types::{FindPredictions, FoundPredictions, Limit};
use stemma_core::{
    Problem,
    endpoint::{prediction::Hex, search::Filter},
    name::EndpointName,
    written_time::WrittenTime,
};
use stemma_server::href;

use crate::{
    global::Global,
    print::{self, Output},
    session::{self, Session},
    view,
};

/// Find predictions, newest first
///
/// By whose they are, when they were asked for, what answered, and conditions on what was asked and answered. Whatever is
/// given must hold. A condition compares names with values: `--where "limit < 3000 and inputs.housing = 'rent'"`; `and`,
/// `or`, `not` and parentheses join comparisons. A name is an output, an input or a column of the record (`latency_us`,
/// `status`, `arm`, `caller`, `revision`, …), or says where it is from: `inputs.x`, `outputs.x`, `record.x`, `STEP.x`, each
/// also with a column as in `probabilities[1]`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PredictionsArgs {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only those of this endpoint
    endpoint: Option<EndpointName>,
    /// Only those for this unit, as in `customer-29`
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// Only those whose caller gave this id
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Only those that were a part of this trace
    #[arg(long, value_name = "ID")]
    trace: Option<Hex<16>>,
    /// Only those from this date or time on
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<WrittenTime>,
    /// Only those up to this date or time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<WrittenTime>,
    /// Only those that asked this version, as in `credit-score@1.2.0`, or this content, as in `b3:…`
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Only requests that failed or were refused
    #[arg(long)]
    failed: bool,
    /// Only those of which this holds
    #[arg(long = "where", value_name = "CONDITION", value_parser = condition)]
    condition: Option<String>,
    /// How many
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where another search ended
    #[arg(long, value_name = "NEXT")]
    cursor: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Import(import::ImportArgs),
}

pub async fn run(args: PredictionsArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    if let Some(Command::Import(args)) = args.command {
        return import::run(args, global, output).await;
    }
    let ask = FindPredictions {
        endpoint: args.endpoint,
        unit: args.unit,
        request_id: args.request_id,
        trace: args.trace,
        since: args.since.map(WrittenTime::start),
        until: args.until.map(WrittenTime::last),
        version: args.version,
        failed: args.failed,
        condition: args.condition,
        cursor: args.cursor,
        limit: Limit::near(args.limit),
    };
    session::with(global, async |session| {
        let found = find(session, ask, output).await?;
        let page = session.page(&href::predictions(&session.project));
        output.result(&found, || view::search::text(&found, page.as_deref(), output));
        Ok(())
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

/// Asks until enough are found or there are no more: a page may end where it took too much work.
async fn find(session: &Session, mut ask: FindPredictions, output: &Output) -> Result<FoundPredictions, Problem> {
    let limit = ask.limit.get() as usize;
    let mut found = session.client.find_predictions(&session.project, &ask).await?;
    let spinner = output.spinner();
    while found.items.len() < limit
        && let Some(next) = found.next.take()
    {
        if let Some(back_to) = found.searched.back_to {
            spinner.set_message(format!("looked back to {}", print::time(back_to)));
        }
        if ask.cursor.as_ref() == Some(&next) {
            return Err(Problem::new(
                stemma_core::ErrorKind::Internal,
                format!("the server's search goes on at `{next}`, where it is"),
            )
            .hint("is it a Stemma server, and of this version?"));
        }
        ask.cursor = Some(next);
        ask.limit = Limit::near((limit - found.items.len()) as u32);
        found.append(session.client.find_predictions(&session.project, &ask).await?);
    }
    spinner.finish_and_clear();
    Ok(found)
}

fn time(text: &str) -> Result<WrittenTime, &'static str> {
    WrittenTime::parse(text).ok_or("expected a date, or a time as in `2026-03-01T12:00:00Z`")
}

/// A condition that can be read; the server reads it once more.
fn condition(text: &str) -> Result<String, String> {
    Filter::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}
