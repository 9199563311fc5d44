//! A batch from its beginning to its end.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use serde::Deserialize as _;
use stemma_core::{ErrorKind, Problem, id::RequestId, signature::Signature};

use crate::{
    ask::Asker,
    journal::{self, Held, Job, Order},
    question::Questions,
    read::{self, Format, Table},
    request::{Beginning, Caller, Event, Output, Request, Summary},
    sink::Sink,
    stages::{Asked, Stages},
    task::joined,
    write::Layout,
};

/// Asks the endpoint for every row of a table, and writes the rows down with their answers.
///
/// All rows are answered by the revision that was live when the batch began. An output that is a file is put in its place
/// once it is whole; until then it lies in a folder beside it, and the same request goes on from there.
pub async fn run(
    caller: Caller<'_>,
    request: &Request,
    output: Output,
    tell: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Summary, Problem> {
    let began = Instant::now();
    let format = output.file().map_or(Ok(Format::Csv), Format::of)?;
    check_is_other(&request.input, output.file())?;
    let path = request.input.clone();
    let overview = joined(tokio::task::spawn_blocking(move || read::overview(&path))).await?;
    let order = Order {
        home: caller.client.home().await?.home,
        project: caller.project.clone(),
        endpoint: request.endpoint.clone(),
        input: overview.digest,
        format,
        unit: request.unit.clone(),
        keep: request.columns.clone(),
    };
    let mut held = output.file().map(|output| hold(output, request.beginning)).transpose()?;
    let (job, layout, questions) = match prepare(caller, request, order, held.as_mut()).await {
        Ok(prepared) => prepared,
        Err(problem) => {
            if let Some(held) = held {
                held.abandon();
            }
            return Err(problem);
        }
    };
    let shown = output.file().map_or_else(|| PathBuf::from("-"), Path::to_owned);
    let sink = match (output, held) {
        (Output::File(output), Some(held)) => Sink::Table { journal: held.into_journal(&job)?, output },
        (Output::Stream(stream), _) => Sink::stream(stream, &layout)?,
        (Output::File(_), None) => unreachable!("the folder beside a file is held"),
    };
    let before = sink.done().clone();
    let resumed_from = (before.rows > 0).then_some(before.rows + 1);
    if let Some(row) = resumed_from {
        tell(Event::Resumed { row, revision: job.revision });
    }
    let table = Table::open(&request.input, before.rows)?;
    for (input, columns) in questions.gathered(&table.schema) {
        tell(Event::Gathered { input, columns: &columns });
    }
    tell(Event::Began { rows: overview.rows, done: before.rows });
    let asker = Asker { client: caller.client, endpoint: &job.order.endpoint, revision: job.revision };
    let asked = Asked { asker, concurrency: request.concurrency, max_errors: request.max_errors, tell };
    let (sink, outcome, layout) = Stages { table, questions, layout, sink, before }.run(&asked).await?;
    let done = sink.done().clone();
    if let Err(problem) = outcome {
        tell(Event::Stopped { resumable_at: matches!(sink, Sink::Table { .. }).then_some(done.rows) });
        return Err(problem);
    }
    tell(Event::Finished);
    joined(tokio::task::spawn_blocking(move || sink.finish(&layout, format))).await?;
    Ok(Summary {
        endpoint: job.order.endpoint,
        revision: job.revision,
        output: shown,
        rows: done.rows,
        errors: done.errors,
        versions: done.versions,
        resumed_from,
        seconds: (began.elapsed().as_secs_f64() * 1e3).round() / 1e3,
    })
}

/// Refuses to write over what is read.
fn check_is_other(input: &Path, output: Option<&Path>) -> Result<(), Problem> {
    let Some(output) = output else { return Ok(()) };
    match (input.canonicalize(), output.canonicalize()) {
        (Ok(one), Ok(other)) if one == other => {
            let problem = Problem::invalid(format!("`{}` is input and output", output.display()));
            Err(problem.hint("write to another file: the input would be gone"))
        }
        _ => Ok(()),
    }
}

/// A table that is there already was perhaps finished by this very request.
fn hold(output: &Path, beginning: Beginning) -> Result<Held, Problem> {
    let folder = journal::folder(output);
    // a folder without a job is what is left of one that was done
    if output.exists() && beginning == Beginning::Resume && !journal::has_job(&folder) {
        let problem = Problem::new(ErrorKind::Conflict, format!("`{}` is there already", output.display()));
        return Err(problem.hint("choose another output, or replace it with `--restart`"));
    }
    let mut held = journal::hold(&folder)?;
    if beginning == Beginning::Anew {
        held.clear()?;
    }
    Ok(held)
}

/// Settles what all rows have in common; nothing is written before all of it fits.
async fn prepare(
    caller: Caller<'_>,
    request: &Request,
    order: Order,
    held: Option<&mut Held>,
) -> Result<(Job, Layout, Questions), Problem> {
    let begun = held.map(|held| held.begun(&order)).transpose()?.flatten();
    let job = match begun {
        Some(job) => job,
        None => begin(caller, order).await?,
    };
    let table = Table::open(&request.input, 0)?;
    let name = request.input.display().to_string();
    let questions = Questions::of(&name, &table.schema, &job.signature, request.unit.as_deref(), &job.id)?;
    let columns = request.columns.as_deref();
    let layout = Layout::of(&name, &table.schema, &job.signature, columns, job.order.format)?;
    Ok((job, layout, questions))
}

/// A batch that the revision of now will answer.
async fn begin(caller: Caller<'_>, order: Order) -> Result<Job, Problem> {
    let metadata = caller.client.endpoint_metadata(&order.endpoint).await?.good()?;
    let live = caller.client.endpoint(caller.project, &order.endpoint).await?.live;
    let revision =
        live.ok_or_else(|| Problem::new(ErrorKind::Gone, format!("endpoint `{}` was taken down", order.endpoint)))?;
    let signature = Signature::deserialize(&metadata)
        .map_err(|error| Problem::invalid(format!("the endpoint does not say what it wants: {error}")))?;
    Ok(Job::new(RequestId::generate().to_string(), order, revision, signature))
}
