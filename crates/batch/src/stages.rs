//! The three stages that rows flow through, in the table's order and with short queues between them: a thread reads
//! chunks and makes the requests, this task has a bounded number of them under way, and a thread writes finished chunks.

use arrow_array::RecordBatch;
use futures::{StreamExt as _, stream};
use serde_json::Value;
use stemma_core::{ErrorKind, Problem};
use tokio::sync::mpsc;

use crate::{
    ask::{Answer, Asker},
    journal::Tally,
    question::Questions,
    read::Table,
    request::Event,
    sink::Sink,
    task::joined,
    write::Layout,
};

/// Chunks that wait for the next stage.
const QUEUE_CHUNKS: usize = 2;

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

pub struct Stages {
    pub table: Table,
    pub questions: Questions,
    pub layout: Layout,
    pub sink: Sink,
    pub before: Tally,
}

impl Stages {
    /// Returns the sink with all chunks that were finished, and what stopped the batch if anything did.
    pub async fn run(self, asked: &Asked<'_>) -> Result<(Sink, Result<(), Problem>, Layout), Problem> {
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
pub struct Asked<'a> {
    pub asker: Asker<'a>,
    pub concurrency: usize,
    pub max_errors: Option<u64>,
    pub tell: &'a (dyn Fn(Event<'_>) + Sync),
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
        let mut answers = std::pin::pin!(answers.buffered(self.concurrency));
        let (mut finished, mut errors) = (Vec::new(), errors_before);
        while let Some(answer) = answers.next().await {
            let (answer, ends) = answer?;
            let answer = layout.checked(answer);
            if let Answer::Failed(reason) = &answer {
                errors += 1;
                self.check_errors(errors, reason)?;
            }
            finished.push(answer);
            (self.tell)(Event::Answered);
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
        match self.max_errors {
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

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, fmt::Write as _, fs, path::Path};

    use http::{Request, Response, StatusCode};
    use http_body_util::{BodyExt as _, Full};
    use serde_json::json;
    use stemma_api::{
        Client,
        client::{Body, Identification, Transport, body_from},
    };
    use stemma_core::{Digest, id::HomeId, name::ProjectName, signature::Signature};
    use tower::{service_fn, util::BoxCloneSyncService};

    use super::*;
    use crate::{
        journal::{self, Job, Order},
        read::Format,
    };

    const ROWS: u64 = 2_500;

    /// An endpoint that answers `y = x`, and from a row on says that it serves another revision.
    fn endpoint(stops_at: u64) -> Client {
        let answer = move |request: Request<Body>| async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let asked: Value = serde_json::from_slice(&body).unwrap();
            let row: u64 = asked["id"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
            let (status, said) = match row < stops_at {
                true => (
                    StatusCode::OK,
                    json!({
                        "outputs": [{ "name": "y", "datatype": "FP64", "shape": [1, 1], "data": asked["inputs"][0]["data"] }],
                        "parameters": { "prediction_id": format!("p{row}"), "model": "m", "version": "1.0.0" },
                    }),
                ),
                false => (StatusCode::CONFLICT, json!({ "error": "another revision" })),
            };
            let body = body_from(Full::from(said.to_string()));
            Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
        };
        Client::new(Transport::Local(BoxCloneSyncService::new(service_fn(answer))), Identification::default())
    }

    fn job() -> Job {
        let signature: Signature = serde_json::from_value(json!({
            "inputs": [{ "name": "x", "datatype": "FP64", "shape": [-1, 1] }],
            "outputs": [{ "name": "y", "datatype": "FP64", "shape": [-1, 1] }],
        }))
        .unwrap();
        let order = Order {
            home: HomeId::from_u128(7),
            project: ProjectName::default_project(),
            endpoint: "e".parse().unwrap(),
            input: Digest::of(b"x"),
            format: Format::Csv,
            unit: None,
            keep: None,
        };
        Job::new("job".to_owned(), order, 3, signature)
    }

    /// Goes on with the batch of a folder; returns the rows that were finished before and after, and whether all are.
    async fn go_on(folder: &Path, stops_at: u64) -> (u64, u64, Result<(), Problem>) {
        let (input, output, job) = (folder.join("x.csv"), folder.join("y.csv"), job());
        let mut held = journal::hold(&journal::folder(&output)).unwrap();
        held.begun(&job.order).unwrap();
        let journal = held.into_journal(&job).unwrap();
        let sink = Sink::Table { journal, output };
        let before = sink.done().clone();
        let table = Table::open(&input, before.rows).unwrap();
        let questions = Questions::of("x", &table.schema, &job.signature, None, &job.id).unwrap();
        let layout = Layout::of("x", &table.schema, &job.signature, None, Format::Csv).unwrap();
        let client = endpoint(stops_at);
        let asker = Asker { client: &client, endpoint: &job.order.endpoint, revision: job.revision };
        let asked = Asked { asker, concurrency: 16, max_errors: None, tell: &|_| () };
        let first = before.rows;
        let stages = Stages { table, questions, layout, sink, before };
        let (sink, outcome, layout) = stages.run(&asked).await.unwrap();
        let done = sink.done().rows;
        if outcome.is_ok() {
            sink.finish(&layout, Format::Csv).unwrap();
        }
        (first, done, outcome)
    }

    #[tokio::test]
    async fn wherever_it_stops_whole_chunks_stay_and_the_rest_makes_the_same_table() {
        let mut expected = "x,y,prediction_id,versions,error\n".to_owned();
        let mut table = "x\n".to_owned();
        for row in 1..=ROWS {
            writeln!(table, "{row}").unwrap();
            writeln!(expected, "{row},{:?},p{row},m@1.0.0,", row as f64).unwrap();
        }
        for (stops_at, kept) in [(1, 0), (1_000, 0), (1_001, 1_000), (2_000, 1_000), (2_001, 2_000), (ROWS, 2_000)] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("x.csv"), &table).unwrap();
            let (first, done, outcome) = go_on(folder.path(), stops_at).await;
            assert_eq!((first, done), (0, kept), "stopped at {stops_at}");
            assert_eq!(outcome.unwrap_err().kind, ErrorKind::Conflict);
            let (first, done, outcome) = go_on(folder.path(), u64::MAX).await;
            assert_eq!((first, done, outcome), (kept, ROWS, Ok(())), "stopped at {stops_at}");
            assert_eq!(fs::read_to_string(folder.path().join("y.csv")).unwrap(), expected);
        }
    }
}
