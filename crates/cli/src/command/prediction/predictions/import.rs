use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::ExitCode,
};

use arrow_array::Array as _;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use stemma_api::types::{RefusedItem, ReportedPrediction, ValueForm, WrittenPredictions};
use stemma_core::{ErrorKind, Problem, name::EndpointName};
use stemma_table::Cell;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    global::Global,
    print::Output,
    rows::{Row, RowsFile},
    session::{self, Session},
};

/// Predictions that are sent together,
const AT_ONCE: usize = 20_000;
/// and bytes of them: a request is not to be too long.
const BYTES_AT_ONCE: usize = 8 << 20;
/// Longest line.
const LINE_BYTES_MAX: u64 = 8 << 20;
/// Columns besides `input.NAME` and `output.NAME`.
const COLUMNS: [&str; 8] = ["id", "time", "version", "unit", "request_id", "traceparent", "latency_us", "error"];

/// Record predictions that were made elsewhere
///
/// They are marked as reported: nothing of them was seen here. Each has an `id` of its own and a `time`; the same again
/// changes nothing. In JSON lines a prediction also has `inputs` and `outputs` by name; in a table each is a column, as
/// `input.age` and `output.label`. Both may have `version`, `unit`, `request_id`, `traceparent`, `latency_us` and `error`.
///
/// If one is refused, nothing of its batch of up to 20,000 is recorded, nor anything behind it, and its line is named.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// JSON lines (`.jsonl`, `.ndjson`), or a table: Parquet, CSV or Arrow
    file: PathBuf,
    /// The endpoint that answered; it is made if there is none
    #[arg(long, value_name = "NAME")]
    endpoint: EndpointName,
    /// What answered, as in `credit-score@1.1.0`, where a prediction does not say it
    #[arg(long, value_name = "MODEL@NUMBER")]
    version: Option<String>,
    /// What made them, as `spark` or the name of a device
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Imported {
    recorded: u64,
    /// They were recorded before.
    known: u64,
    /// Where it could not be looked whether something was recorded before.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    gaps: BTreeSet<String>,
}

/// Predictions that are sent together, with their places in the file.
#[derive(Default)]
struct Batch {
    /// As JSON, with a comma before each but the first.
    written: String,
    places: Vec<u64>,
}

impl Batch {
    fn has_room(&self, bytes: usize) -> bool {
        self.places.len() < AT_ONCE && self.written.len() + bytes <= BYTES_AT_ONCE
    }

    fn add(&mut self, one: &str, place: u64) {
        if !self.places.is_empty() {
            self.written.push(',');
        }
        self.written.push_str(one);
        self.places.push(place);
    }
}

/// A batch as it is sent.
struct ReadBatch {
    predictions: Box<RawValue>,
    places: Vec<u64>,
}

impl ReadBatch {
    fn of(Batch { written, places }: Batch) -> Result<Self, Problem> {
        let predictions = RawValue::from_string(format!("[{written}]")).map_err(unsendable)?;
        Ok(Self { predictions, places })
    }

    /// The first that is none, if one is: a server refuses the whole request without saying which.
    fn fault(&self) -> Option<Fault> {
        let all: Vec<&RawValue> = serde_json::from_str(self.predictions.get()).ok()?;
        all.into_iter().zip(&self.places).find_map(|(one, place)| {
            let wrong = serde_json::from_str::<ReportedPrediction>(one.get()).err()?;
            Some(Fault { place: Some(*place), problem: Problem::invalid(wrong.to_string()) })
        })
    }
}

fn unsendable(error: serde_json::Error) -> Problem {
    Problem::invalid(format!("it can't be sent as JSON: {error}"))
}

/// Why the file is not read any further.
struct Fault {
    /// Where, if it is a prediction that is wrong.
    place: Option<u64>,
    problem: Problem,
}

pub async fn run(args: ImportArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let imported = session::with(global, async |session| {
        let values = if is_lines(&args.file) { ValueForm::Json } else { ValueForm::Cells };
        // the next batch is read while one is recorded
        let (batches, mut read) = mpsc::channel(1);
        let reader = Reader { path: args.file.clone(), batch: Batch::default(), batches };
        let reading = match values {
            ValueForm::Json => reader.lines(output)?,
            ValueForm::Cells => reader.table(output)?,
        };
        let mut import = Import { args: &args, session, values, imported: Imported::default() };
        while let Some(batch) = read.recv().await {
            import.send(batch).await?;
        }
        match reading.await {
            Ok(Ok(())) => Ok(import.imported),
            Ok(Err(fault)) => Err(import.wrong(fault)),
            Err(error) => Err(Problem::new(ErrorKind::Internal, format!("reading stopped: {error}"))),
        }
    });
    let imported = imported.await?;
    output.result(&imported, || text(&imported, &args.endpoint));
    Ok(ExitCode::SUCCESS)
}

fn text(imported: &Imported, endpoint: &EndpointName) -> String {
    let Imported { recorded, known, gaps } = imported;
    let mut text = format!("{recorded} predictions of {endpoint} recorded, {known} were before");
    for gap in gaps {
        text.push_str(&format!("\nsome may have been recorded before where it can't be seen: {gap}"));
    }
    text
}

fn is_lines(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "jsonl" || ending == "ndjson")
}

/// Reads the file into batches, on a thread of its own.
struct Reader {
    path: PathBuf,
    batch: Batch,
    batches: mpsc::Sender<ReadBatch>,
}

type Reading = JoinHandle<Result<(), Fault>>;

impl Reader {
    fn lines(mut self, output: &Output) -> Result<Reading, Problem> {
        let path = self.path.clone();
        let unreadable =
            move |error: std::io::Error| Problem::invalid(format!("can't read `{}`: {error}", path.display()));
        let file = File::open(&self.path).map_err(&unreadable)?;
        let bar = output.progress(file.metadata().map_err(&unreadable)?.len(), "recording");
        Ok(tokio::task::spawn_blocking(move || {
            let mut reader = BufReader::with_capacity(1 << 20, file);
            let (mut line, mut place) = (Vec::new(), 0u64);
            loop {
                line.clear();
                let read = std::io::Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut line);
                let read = read.map_err(|error| Fault { place: None, problem: unreadable(error) })?;
                if read == 0 {
                    break;
                }
                place += 1;
                let wrong = |what: String| Fault { place: Some(place), problem: Problem::invalid(what) };
                if read as u64 == LINE_BYTES_MAX {
                    return Err(wrong(format!("it is longer than {LINE_BYTES_MAX} bytes")));
                }
                if !line.iter().all(u8::is_ascii_whitespace) {
                    // what it says is read where it is recorded
                    let one: &RawValue = serde_json::from_slice(&line).map_err(|error| wrong(error.to_string()))?;
                    if !self.push(one.get(), place)? {
                        return Ok(());
                    }
                }
                bar.inc(read as u64);
            }
            self.send()?;
            bar.finish_and_clear();
            Ok(())
        }))
    }

    fn table(mut self, output: &Output) -> Result<Reading, Problem> {
        let is_value = |column: &str| column.starts_with("input.") || column.starts_with("output.");
        let mut file = RowsFile::open(&self.path, &COLUMNS, is_value)?;
        let bar = match file.count {
            Some(rows) => output.row_progress(rows, "recording"),
            None => output.spinner(),
        };
        let (inputs, outputs) = (file.named("input."), file.named("output."));
        Ok(tokio::task::spawn_blocking(move || {
            while let Some(batch) = file.next_batch().map_err(|problem| Fault { place: None, problem })? {
                for row in file.rows(&batch) {
                    let read = read(&row, &inputs, &outputs);
                    let written = read.and_then(|one| serde_json::to_string(&one).map_err(unsendable));
                    let one = written.map_err(|problem| Fault { place: Some(row.place), problem })?;
                    if !self.push(&one, row.place)? {
                        return Ok(());
                    }
                    bar.inc(1);
                }
            }
            self.send()?;
            bar.finish_and_clear();
            Ok(())
        }))
    }

    /// False if nobody records them any more.
    fn push(&mut self, one: &str, place: u64) -> Result<bool, Fault> {
        if !self.batch.has_room(one.len()) && !self.send()? {
            return Ok(false);
        }
        self.batch.add(one, place);
        Ok(true)
    }

    fn send(&mut self) -> Result<bool, Fault> {
        let batch = std::mem::take(&mut self.batch);
        if batch.places.is_empty() {
            return Ok(true);
        }
        let batch = ReadBatch::of(batch).map_err(|problem| Fault { place: None, problem })?;
        Ok(self.batches.blocking_send(batch).is_ok())
    }
}

struct Import<'a> {
    args: &'a ImportArgs,
    session: &'a Session,
    values: ValueForm,
    imported: Imported,
}

impl Import<'_> {
    async fn send(&mut self, batch: ReadBatch) -> Result<(), Problem> {
        let (version, source) = (self.args.version.as_deref(), self.args.source.as_deref());
        let send = WrittenPredictions { version, source, values: self.values, predictions: &batch.predictions };
        let client = &self.session.client;
        let answer = client.record_written_predictions(&self.session.project, &self.args.endpoint, &send).await;
        let answer = answer.map_err(|problem| match batch.fault() {
            Some(fault) if problem.kind == ErrorKind::Invalid => self.wrong(fault),
            _ => problem,
        })?;
        if let Some(RefusedItem { at, reason, hint }) = answer.refused.first() {
            let place = usize::try_from(*at).ok().and_then(|at| batch.places.get(at)).copied().unwrap_or_default();
            let others = match answer.refused_count.max(answer.refused.len() as u64) - 1 {
                0 => String::new(),
                more => format!("; and so are {more} others of its batch"),
            };
            let mut problem = Problem::invalid(format!("{reason}{others}"));
            problem.hint.clone_from(hint);
            return Err(self.wrong(Fault { place: Some(place), problem }));
        }
        self.imported.gaps.extend(answer.gaps);
        self.imported.recorded += answer.recorded;
        self.imported.known += answer.known;
        Ok(())
    }

    /// What is wrong with the file, with what was done before; its own hint, if it has one, comes last.
    fn wrong(&self, Fault { place, problem }: Fault) -> Problem {
        let Some(place) = place else { return problem };
        let done = self.imported.recorded + self.imported.known;
        let wrong = Problem::invalid(format!("line {place} of `{}`: {}", self.args.file.display(), problem.message));
        let wrong = match done {
            0 => wrong.hint("nothing was recorded"),
            done => wrong.hint(format!("{done} before its batch are recorded; the same file again records none twice")),
        };
        problem.hint.into_iter().fold(wrong, Problem::hint)
    }
}

fn read(
    row: &Row<'_>,
    inputs: &[(String, String)],
    outputs: &[(String, String)],
) -> Result<ReportedPrediction, Problem> {
    let lacks = |column: &str| Problem::invalid(format!("it has no `{column}`"));
    let values = |columns: &[(String, String)]| -> BTreeMap<String, Value> {
        columns.iter().map(|(column, name)| (name.clone(), value(&row.cell(column)))).collect()
    };
    let (inputs, mut outputs) = (values(inputs), values(outputs));
    // a missing answer is an empty cell, of CSV an empty text; what a missing input is, the version's contract says
    outputs.retain(|_, value| !value.is_null() && value != "");
    let latency_us = row.number("latency_us")?.map(|micros| micros.max(0.0) as u64);
    Ok(ReportedPrediction {
        id: row.text("id").ok_or_else(|| lacks("id"))?,
        time: row.time("time")?.ok_or_else(|| lacks("time"))?,
        version: row.text("version"),
        inputs,
        outputs,
        unit: row.text("unit"),
        request_id: row.text("request_id"),
        traceparent: row.text("traceparent"),
        latency_us,
        error: row.text("error"),
    })
}

/// A cell as JSON; numbers that JSON can't write are the texts that stand for them everywhere.
fn value(cell: &Cell<'_>) -> Value {
    let number = |value: f64| match value {
        value if value.is_nan() => Value::from("NaN"),
        f64::INFINITY => Value::from("Infinity"),
        f64::NEG_INFINITY => Value::from("-Infinity"),
        _ => cell.json(),
    };
    match cell {
        Cell::Float32(value) => number(f64::from(*value)),
        Cell::Float(value) => number(*value),
        Cell::List(list) => (0..list.len()).map(|at| value(&Cell::at(list.as_ref(), at))).collect(),
        cell => cell.json(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float32Array, Float64Array, ListArray, types::Float64Type};
    use serde_json::json;

    use super::*;

    #[test]
    fn no_number_of_a_table_is_lost() {
        let of = |array: ArrayRef| -> Vec<Value> {
            (0..array.len()).map(|at| value(&Cell::at(array.as_ref(), at))).collect()
        };
        let special = [json!("NaN"), json!("Infinity"), json!("-Infinity"), json!(0.1), Value::Null];
        let wide = [Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(0.1), None];
        let narrow = wide.map(|value| value.map(|value| value as f32));
        assert_eq!(of(Arc::new(Float64Array::from(wide.to_vec()))), special);
        assert_eq!(of(Arc::new(Float32Array::from(narrow.to_vec()))), special);
        let lists = ListArray::from_iter_primitive::<Float64Type, _, _>([Some(wide.to_vec())]);
        assert_eq!(of(Arc::new(lists)), [json!(special)]);
    }
}
