use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::OnceLock,
};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;
use stemma_batch::{self as batch, Beginning, Caller, Event};
use stemma_core::{Problem, name::EndpointName};

use crate::{global::Global, print::Output, session, tensors, view};

/// Longest input that is read.
const INPUT_BYTES_MAX: u64 = 16 << 20;

/// Ask an endpoint
///
/// The input is one row as `{"column": value}`, several as `[{…}, {…}]`, or a whole request of the Open Inference
/// Protocol with `inputs`. Types and shapes are taken from the endpoint.
///
/// With `--input` and `--output`, each row of a table is asked for by itself and has a prediction of its own; all are
/// answered by the revision that is live at the start. The same command goes on where one was interrupted.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// The endpoint's name
    endpoint: EndpointName,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    batch: Batch,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Input {
    /// The input as JSON
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// A file with the input; `-` is standard input
    #[arg(long, value_name = "FILE")]
    input_json: Option<PathBuf>,
    /// A table with a column for each input: CSV, Parquet, Arrow or JSON lines, also in gzip or zstd
    #[arg(long, value_name = "FILE", requires = "output")]
    input: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Tables")]
struct Batch {
    /// Where the rows go with their answers, `.csv` or `.parquet`; `-` is standard output as CSV
    #[arg(long, value_name = "FILE", requires = "input")]
    output: Option<PathBuf>,
    /// The column with the unit that each row is assigned to an arm by
    #[arg(long, value_name = "COLUMN", requires = "input")]
    unit: Option<String>,
    /// Columns of the input that go into the output; all unless given
    #[arg(long, value_name = "COLUMNS", requires = "input", value_delimiter = ',')]
    keep: Option<Vec<String>>,
    /// Rows asked for at the same time
    #[arg(
        long, value_name = "NUMBER", requires = "input", default_value_t = 32,
        value_parser = clap::value_parser!(u16).range(1..=1024)
    )]
    concurrency: u16,
    /// Stop once more rows have failed
    #[arg(long, value_name = "NUMBER", requires = "input")]
    max_errors: Option<u64>,
    /// Begin anew: forget what an interrupted run has done, and replace the output
    #[arg(long, requires = "input")]
    restart: bool,
}

pub async fn run(args: PredictArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    if let (Some(input), Some(to)) = (&args.input.input, &args.batch.output) {
        return predict_table(&args, input, to, global, output).await;
    }
    let input = args.input.read()?;
    let answer = session::with(global, async |session| {
        let client = &session.client;
        let request = if input.get("inputs").is_some_and(Value::is_array) {
            input
        } else {
            let metadata = client.endpoint_metadata(&args.endpoint).await?;
            tensors::request(&input, &metadata.good()?)?
        };
        let answer = client.infer(&args.endpoint, &request).await?;
        answer.good()
    });
    let answer = answer.await?;
    output.result(&answer, || text(&answer));
    Ok(ExitCode::SUCCESS)
}

/// Asks for every row of a table.
async fn predict_table(
    args: &PredictArgs,
    input: &Path,
    to: &Path,
    global: &Global,
    output: &Output,
) -> Result<ExitCode, Problem> {
    let is_stdout = to == Path::new("-");
    if is_stdout && output.is_json() {
        return Err(Problem::invalid("`--json` and the rows can't both go to standard output")
            .hint("name a file with `--output`"));
    }
    let Batch { unit, keep, concurrency, max_errors, restart, .. } = &args.batch;
    let request = batch::Request {
        endpoint: args.endpoint.clone(),
        input: input.to_owned(),
        unit: unit.clone(),
        columns: keep.clone(),
        concurrency: usize::from(*concurrency),
        max_errors: *max_errors,
        beginning: if *restart { Beginning::Anew } else { Beginning::Resume },
    };
    let bar = OnceLock::new();
    let tell = |event: Event<'_>| told(event, &args.endpoint, &bar, output);
    let summary = session::with(global, async |session| {
        let caller = Caller { client: &session.client, project: &session.project };
        let to = match is_stdout {
            true => batch::Output::Stream(Box::new(std::io::stdout())),
            false => batch::Output::File(to.to_owned()),
        };
        batch::run(caller, &request, to, &tell).await
    })
    .await?;
    match is_stdout {
        true => output.note(view::batch::text(&summary)),
        false => output.result(&summary, || view::batch::text(&summary)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells who waits how far a table is.
fn told(event: Event<'_>, endpoint: &EndpointName, bar: &OnceLock<ProgressBar>, output: &Output) {
    let end = || bar.get().into_iter().for_each(ProgressBar::finish_and_clear);
    match event {
        Event::Resumed { row, revision } => {
            output.note(format!("goes on from row {row}, with revision {revision} of `{endpoint}`"));
        }
        Event::Gathered { input, columns } => {
            let columns = columns.join(", ");
            output.note(format!("input `{input}` is put together from the columns {columns}, in this order"));
        }
        Event::Began { rows, done } => {
            bar.get_or_init(|| output.row_progress(rows, "predicting")).set_position(done);
        }
        Event::Answered => bar.get().into_iter().for_each(|bar| bar.inc(1)),
        Event::Stopped { resumable_at } => {
            end();
            if let Some(rows) = resumable_at {
                output.note(format!("{rows} rows are finished; the same command goes on from there"));
            }
        }
        Event::Finished => end(),
    }
}

impl Input {
    fn read(&self) -> Result<Value, Problem> {
        let (text, from) = match (&self.data, &self.input_json) {
            (Some(text), _) => (text.clone(), "the value of `--data`".to_owned()),
            (None, Some(path)) if path == Path::new("-") => (read(path)?, "standard input".to_owned()),
            (None, Some(path)) => (read(path)?, format!("`{}`", path.display())),
            (None, None) => return Err(Problem::invalid("there is no input")),
        };
        serde_json::from_str(&text).map_err(|error| Problem::invalid(format!("{from} is not JSON: {error}")))
    }
}

fn read(path: &Path) -> Result<String, Problem> {
    let unreadable = |error: std::io::Error| Problem::invalid(format!("can't read `{}`: {error}", path.display()));
    let reader: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(unreadable)?)
    };
    let mut text = String::new();
    reader.take(INPUT_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > INPUT_BYTES_MAX {
        return Err(Problem::invalid(format!("`{}` is longer than {INPUT_BYTES_MAX} bytes", path.display())));
    }
    Ok(text)
}

fn text(answer: &Value) -> String {
    let id = answer.pointer("/parameters/prediction_id").and_then(Value::as_str);
    let version = answer.get("model_version").and_then(Value::as_str);
    let mut text = format!("{}  by version {}\n", id.unwrap_or("(not logged)"), version.unwrap_or("?"));
    for tensor in answer.get("outputs").and_then(Value::as_array).into_iter().flatten() {
        let name = tensor.get("name").and_then(Value::as_str).unwrap_or("?");
        let data = tensor.get("data").unwrap_or(&Value::Null);
        text.push_str(&format!("{name}: {data}\n"));
    }
    if let Some(id) = id {
        text.push_str(&format!("see `stemma why {id}`"));
    }
    text
}
