//! Asking an endpoint for every row of a table: read, ask, write down, and go on after an interruption.
//!
//! Rows flow through three stages with short queues between them, in the table's order: a thread reads chunks and makes
//! the requests, this task has a bounded number of them under way, and a thread writes finished chunks.

mod ask;
mod journal;
mod question;
mod read;
mod write;

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use arrow_array::RecordBatch;
use futures::{StreamExt as _, stream};
use indicatif::ProgressBar;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use stemma_core::{ErrorKind, Problem, id::RequestId, name::EndpointName, signature::Signature};
use tokio::{sync::mpsc, task::JoinHandle};

use self::{
    ask::{Answer, Asker},
    journal::{Held, Job, Journal, Order, Tally},
    question::Questions,
    read::{Format, Overview, Table},
    write::Layout,
};
use crate::{
    command::prediction::predict::answered,
    global::Global,
    print::Output,
    session::{self, Session},
};

/// Chunks that wait for the next stage.
const QUEUE_CHUNKS: usize = 2;

/// What somebody asked for.
pub struct Wanted {
    pub input: PathBuf,
    pub output: PathBuf,
    pub unit: Option<String>,
    pub keep: Option<Vec<String>>,
    pub concurrency: usize,
    pub max_errors: Option<u64>,
    pub restart: bool,
}

#[derive(Serialize)]
struct Summary {
    endpoint: EndpointName,
    revision: u32,
    output: PathBuf,
    /// Of the output, whichever run wrote them.
    rows: u64,
    errors: u64,
    versions: BTreeMap<String, u64>,
    /// The first row of this run, if an interrupted one went before.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed_from: Option<u64>,
    seconds: f64,
}

pub async fn run(
    endpoint: &EndpointName,
    wanted: Wanted,
    global: &Global,
    output: &Output,
) -> Result<ExitCode, Problem> {
    let to_stdout = wanted.output == Path::new("-");
    if to_stdout && output.is_json() {
        return Err(Problem::invalid("`--json` and the rows can't both go to standard output")
            .hint("name a file with `--output`"));
    }
    let summary = session::with(global, async |session| whole(session, endpoint, &wanted, output).await).await?;
    match to_stdout {
        true => output.note(text(&summary)),
        false => output.result(&summary, || text(&summary)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn whole(
    session: &Session,
    endpoint: &EndpointName,
    wanted: &Wanted,
    output: &Output,
) -> Result<Summary, Problem> {
    let began = Instant::now();
    let to = if wanted.output == Path::new("-") { None } else { Some(wanted.output.as_path()) };
    let format = to.map_or(Ok(Format::Csv), Format::of)?;
    if let Some(to) = to
        && is_same_file(&wanted.input, to)
    {
        let problem = Problem::invalid(format!("`{}` is input and output", to.display()));
        return Err(problem.hint("write to another file: the input would be gone"));
    }
    let path = wanted.input.clone();
    let overview = joined(tokio::task::spawn_blocking(move || read::overview(&path))).await?;
    let order = Order {
        home: session.client.home().await?.home,
        project: session.project.clone(),
        endpoint: endpoint.clone(),
        input: overview.digest,
        format,
        unit: wanted.unit.clone(),
        keep: wanted.keep.clone(),
    };
    let mut held = to.map(|to| hold(to, wanted.restart)).transpose()?;
    let prepared = prepare(session, wanted, order, held.as_mut()).await;
    let prepared = match (prepared, held.take()) {
        (Ok((job, layout, questions)), held) => Prepared { job, layout, questions, held },
        (Err(problem), held) => {
            if let Some(held) = held {
                held.abandon();
            }
            return Err(problem);
        }
    };
    prepared.carry_out(session, wanted, &overview, output, began).await
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// A table that is there already was perhaps finished by this very command.
fn hold(output: &Path, restart: bool) -> Result<Held, Problem> {
    let folder = journal::folder(output);
    // a folder without a job is what is left of one that was done
    if output.exists() && !restart && !journal::has_job(&folder) {
        let problem = Problem::new(ErrorKind::Conflict, format!("`{}` is there already", output.display()));
        return Err(problem.hint("choose another output, or replace it with `--restart`"));
    }
    let mut held = journal::hold(&folder)?;
    if restart {
        held.clear()?;
    }
    Ok(held)
}

/// Settles what all rows have in common; nothing is written before all of it fits.
async fn prepare(
    session: &Session,
    wanted: &Wanted,
    order: Order,
    held: Option<&mut Held>,
) -> Result<(Job, Layout, Questions), Problem> {
    let begun = held.map(|held| held.begun(&order)).transpose()?.flatten();
    let job = match begun {
        Some(job) => job,
        None => {
            let metadata = session.client.endpoint_metadata(&order.endpoint).await?;
            let metadata = answered(metadata.status.as_u16(), metadata.body)?;
            let live = session.client.endpoint(&session.project, &order.endpoint).await?.live;
            let revision = live.ok_or_else(|| {
                Problem::new(ErrorKind::Gone, format!("endpoint `{}` was taken down", order.endpoint))
            })?;
            let signature = Signature::deserialize(&metadata)
                .map_err(|error| Problem::invalid(format!("the endpoint does not say what it wants: {error}")))?;
            Job::new(RequestId::generate().to_string(), order, revision, signature)
        }
    };
    let table = Table::open(&wanted.input, 0)?;
    let name = wanted.input.display().to_string();
    let questions = Questions::of(&name, &table.schema, &job.signature, wanted.unit.as_deref(), &job.id)?;
    let keep = wanted.keep.as_deref();
    let layout = Layout::of(&name, &table.schema, &job.signature, keep, job.order.format)?;
    Ok((job, layout, questions))
}

/// A batch that may begin.
struct Prepared {
    job: Job,
    layout: Layout,
    questions: Questions,
    /// `None` if the rows go to standard output.
    held: Option<Held>,
}

impl Prepared {
    async fn carry_out(
        self,
        session: &Session,
        wanted: &Wanted,
        overview: &Overview,
        output: &Output,
        began: Instant,
    ) -> Result<Summary, Problem> {
        let Self { job, layout, questions, held } = self;
        let sink = match held {
            Some(held) => Sink::Journal(held.into_journal(&job)?),
            None => Sink::stdout(&layout)?,
        };
        let before = sink.done().clone();
        let resumed_from = (before.rows > 0).then_some(before.rows + 1);
        if let Some(row) = resumed_from {
            output.note(format!("goes on from row {row}, with revision {} of `{}`", job.revision, job.order.endpoint));
        }
        let table = Table::open(&wanted.input, before.rows)?;
        for (input, columns) in questions.gathered(&table.schema) {
            output.note(format!(
                "input `{input}` is put together from the columns {}, in this order",
                columns.join(", ")
            ));
        }
        let bar = output.row_progress(overview.rows, "predicting");
        bar.set_position(before.rows);
        let asked = Asked {
            asker: Asker { client: &session.client, endpoint: &job.order.endpoint, revision: job.revision },
            wanted,
            bar: &bar,
        };
        let stages = Stages { table, questions, layout, sink, before };
        let (sink, outcome, layout) = stages.run(&asked).await?;
        bar.finish_and_clear();
        let done = sink.done().clone();
        if let Err(problem) = outcome {
            if matches!(sink, Sink::Journal(_)) {
                output.note(format!("{} rows are finished; the same command goes on from there", done.rows));
            }
            return Err(problem);
        }
        let (format, to) = (job.order.format, wanted.output.clone());
        joined(tokio::task::spawn_blocking(move || sink.finish(&layout, format, &to))).await?;
        Ok(Summary {
            endpoint: job.order.endpoint,
            revision: job.revision,
            output: wanted.output.clone(),
            rows: done.rows,
            errors: done.errors,
            versions: done.versions,
            resumed_from,
            seconds: (began.elapsed().as_secs_f64() * 1e3).round() / 1e3,
        })
    }
}

/// Rows with their requests.
struct Batch {
    rows: RecordBatch,
    questions: Vec<Result<Value, String>>,
}

/// Rows with their answers.
struct Chunk {
    rows: RecordBatch,
    answers: Vec<Answer>,
}

struct Stages {
    table: Table,
    questions: Questions,
    layout: Layout,
    sink: Sink,
    before: Tally,
}

impl Stages {
    /// Returns the sink with all chunks that were finished, and what stopped the batch if anything did.
    async fn run(self, asked: &Asked<'_>) -> Result<(Sink, Result<(), Problem>, Layout), Problem> {
        let Self { table, questions, layout, sink, before } = self;
        let (to_ask, batches) = mpsc::channel(QUEUE_CHUNKS);
        let first = before.rows + 1;
        let reader = tokio::task::spawn_blocking(move || read_all(table, &questions, first, &to_ask));
        let (to_write, chunks) = mpsc::channel(QUEUE_CHUNKS);
        let layout = std::sync::Arc::new(layout);
        let shared = layout.clone();
        let writer = tokio::task::spawn_blocking(move || write_all(sink, &shared, chunks));
        let outcome = asked.all(batches, to_write, &layout, before.errors).await;
        let sink = joined(writer).await?;
        let outcome = match outcome {
            Ok(()) => joined(reader).await,
            stopped => stopped,
        };
        let layout = std::sync::Arc::into_inner(layout)
            .ok_or_else(|| Problem::new(ErrorKind::Internal, "the writer did not end"))?;
        Ok((sink, outcome, layout))
    }
}

/// The first stage. Ends early if nobody takes its batches any more.
fn read_all(mut table: Table, questions: &Questions, first: u64, batches: &mpsc::Sender<Batch>) -> Result<(), Problem> {
    let mut number = first;
    while let Some(rows) = table.next_batch()? {
        let questions = questions.ask(&rows, number);
        number += rows.num_rows() as u64;
        if batches.blocking_send(Batch { rows, questions }).is_err() {
            break;
        }
    }
    Ok(())
}

/// The last stage.
fn write_all(mut sink: Sink, layout: &Layout, mut chunks: mpsc::Receiver<Chunk>) -> Result<Sink, Problem> {
    while let Some(Chunk { rows, answers }) = chunks.blocking_recv() {
        let (rows, tally) = layout.rows(&rows, &answers)?;
        sink.put(&rows, &tally)?;
    }
    Ok(sink)
}

/// The stage between.
struct Asked<'a> {
    asker: Asker<'a>,
    wanted: &'a Wanted,
    bar: &'a ProgressBar,
}

impl Asked<'_> {
    /// Answers come in the order of the rows. A writer that is gone says itself why.
    async fn all(
        &self,
        batches: mpsc::Receiver<Batch>,
        chunks: mpsc::Sender<Chunk>,
        layout: &Layout,
        errors_before: u64,
    ) -> Result<(), Problem> {
        let batches = stream::unfold(batches, async |mut batches| Some((batches.recv().await?, batches)));
        let rows = batches.flat_map(|batch| stream::iter(rows(batch)));
        let answers = rows.map(async |(question, ends): Row| {
            let answer = self.asker.ask(question).await?;
            Ok::<_, Problem>((answer, ends))
        });
        let mut answers = std::pin::pin!(answers.buffered(self.wanted.concurrency));
        let (mut finished, mut errors) = (Vec::new(), errors_before);
        while let Some(answer) = answers.next().await {
            let (answer, ends) = answer?;
            let answer = layout.checked(answer);
            if let Answer::Failed(reason) = &answer {
                errors += 1;
                self.check_errors(errors, reason)?;
            }
            finished.push(answer);
            self.bar.inc(1);
            if let Some(rows) = ends {
                let chunk = Chunk { rows, answers: std::mem::take(&mut finished) };
                if chunks.send(chunk).await.is_err() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn check_errors(&self, errors: u64, reason: &str) -> Result<(), Problem> {
        match self.wanted.max_errors {
            Some(max) if errors > max => {
                Err(Problem::invalid(format!("more rows failed than {max}, the last with: {reason}"))
                    .hint("mend the input, or allow more with `--max-errors`"))
            }
            _ => Ok(()),
        }
    }
}

type Row = (Result<Value, String>, Option<RecordBatch>);

/// The rows of a batch one by one; the last carries it along.
fn rows(batch: Batch) -> impl Iterator<Item = Row> {
    let last = batch.questions.len().saturating_sub(1);
    let mut rows = Some(batch.rows);
    let mut ends = move |at: usize| if at == last { rows.take() } else { None };
    batch.questions.into_iter().enumerate().map(move |(at, question)| (question, ends(at)))
}

/// Where chunks go.
enum Sink {
    Journal(Journal),
    Stdout(Tally),
}

impl Sink {
    fn stdout(layout: &Layout) -> Result<Self, Problem> {
        print(&write::header(layout)?)?;
        Ok(Self::Stdout(Tally::default()))
    }

    const fn done(&self) -> &Tally {
        match self {
            Self::Journal(journal) => journal.done(),
            Self::Stdout(done) => done,
        }
    }

    fn put(&mut self, rows: &RecordBatch, tally: &Tally) -> Result<(), Problem> {
        match self {
            Self::Journal(journal) => {
                let content = write::encode(journal.format(), rows)?;
                journal.keep(&content, tally)
            }
            Self::Stdout(done) => {
                done.add(tally);
                print(&write::encode(Format::Csv, rows)?)
            }
        }
    }

    fn finish(self, layout: &Layout, format: Format, output: &Path) -> Result<(), Problem> {
        match self {
            Self::Journal(journal) => {
                write::assemble(layout, format, journal.chunks(), &journal.whole())?;
                journal.finish(output)
            }
            Self::Stdout(_) => Ok(()),
        }
    }
}

fn print(bytes: &[u8]) -> Result<(), Problem> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(|error| Problem::new(ErrorKind::Config, format!("can't write to standard output: {error}")))
}

async fn joined<T>(task: JoinHandle<Result<T, Problem>>) -> Result<T, Problem> {
    task.await.unwrap_or_else(|error| Err(Problem::new(ErrorKind::Internal, error.to_string())))
}

fn text(summary: &Summary) -> String {
    let Summary { endpoint, revision, rows, errors, seconds, .. } = summary;
    let mut text =
        format!("{rows} rows, {errors} with errors, in {seconds:.1} s by revision {revision} of {endpoint}\n");
    for (versions, rows) in &summary.versions {
        text.push_str(&format!("  {versions}: {rows}\n"));
    }
    if summary.output != Path::new("-") {
        text.push_str(&format!("written to {}", summary.output.display()));
    }
    text
}
