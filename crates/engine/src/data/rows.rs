//! A stretch of content: bytes, or rows of a table, without reading what lies behind them.

use std::{
    ops::Range,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use serde_json::Value;
use stemma_core::{ContentId, Problem, name::ProjectName, span::Span};
use stemma_store::BlobReader;
use tokio::sync::{Semaphore, mpsc};

use crate::{
    Known,
    known::content::{as_asked, no_content},
    problem::{internal, store_problem},
    scan::{CsvRows, Format, Lines, columns, open_parquet, parquet_rows},
};

/// Tables that are read from their beginning at once, at most, each with some of its rows in memory.
const SCANS_MAX: usize = 4;
/// Pieces in which a stretch is sent.
const SEND_BYTES: usize = 256 << 10;

/// Turns to read a table from its beginning; others wait. Fewer than processors, so that one is left to whoever answers
/// predictions: to stand back in priority alone, readers of all processors cost them a turn of the kernel each time.
pub(crate) static SCANS: LazyLock<Semaphore> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    Semaphore::new(processors.saturating_sub(1).clamp(1, SCANS_MAX))
});

type Pieces = BoxStream<'static, Result<Bytes, std::io::Error>>;
type Sender = mpsc::Sender<Result<Bytes, std::io::Error>>;

/// Rows of a table in its own form, with its header; those of Parquet as JSON lines.
pub struct RowSlice {
    /// The rows that are in it, counted from 0.
    pub rows: Range<u64>,
    pub media_type: &'static str,
    pub pieces: Pieces,
}

/// Where rows lie.
enum Place {
    Text { media_type: &'static str, header: Range<u64>, body: Range<u64> },
    Parquet,
}

impl Known {
    /// Opens a stretch of content's bytes; returns also where it lies and how long the content is.
    pub async fn content_bytes(
        &self,
        project: &ProjectName,
        id: ContentId,
        span: Span,
    ) -> Result<(Range<u64>, u64, Pieces), Problem> {
        let blob = open_readable(self, project, id).await?;
        let length = blob.len();
        let range = span.within(length).ok_or_else(|| {
            Problem::invalid(format!("the content has {length} bytes, none from {} on", span.start))
                .hint("bytes count from 0, and the end is not part of the range")
        })?;
        let wanted = range.clone();
        let pieces = pieces(move |sender| send_range(&blob, wanted, sender));
        Ok((range, length, pieces))
    }

    /// Opens rows of a table; reads it up to the last of them and no further.
    pub async fn content_rows(
        &self,
        project: &ProjectName,
        id: ContentId,
        name: &str,
        span: Span,
    ) -> Result<RowSlice, Problem> {
        let blob = open_readable(self, project, id).await?;
        let _turn = SCANS.acquire().await.map_err(internal)?;
        let (name, shared) = (name.to_owned(), blob.clone());
        let find = {
            let name = name.clone();
            move || locate(&name, &shared, span)
        };
        let (place, rows) = tokio::task::spawn_blocking(find).await.map_err(internal)??;
        let wanted = rows.clone();
        Ok(match place {
            Place::Text { media_type, header, body } => {
                let send = move |sender: &Sender| {
                    send_range(&blob, header, sender);
                    send_range(&blob, body, sender);
                };
                RowSlice { rows, media_type, pieces: pieces(send) }
            }
            Place::Parquet => {
                let send = move |sender: &Sender| send_parquet(&name, &blob, wanted, sender);
                RowSlice { rows, media_type: "application/x-ndjson", pieces: pieces(send) }
            }
        })
    }
}

pub(crate) async fn open_readable(
    known: &Known,
    project: &ProjectName,
    id: ContentId,
) -> Result<Arc<BlobReader>, Problem> {
    let unknown = || no_content(project, id);
    let digest = known.resolve_content(project, id).await?.ok_or_else(unknown)?;
    known.readable_content(project, digest).await.map_err(|problem| as_asked(problem, project, id))?;
    let store = known.store().clone();
    let opened = tokio::task::spawn_blocking(move || store.open_blob(&digest)).await.map_err(internal)?;
    opened.map(Arc::new).map_err(store_problem)
}

/// What a blocking reader sends, as a stream that holds it back.
fn pieces(send: impl FnOnce(&Sender) + Send + 'static) -> Pieces {
    let (sender, receiver) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || send(&sender));
    let next = |mut receiver: mpsc::Receiver<_>| async move {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    };
    futures::stream::unfold(receiver, next).boxed()
}

fn send_range(blob: &BlobReader, range: Range<u64>, sender: &Sender) {
    let mut at = range.start;
    while at < range.end {
        let length = usize::try_from(range.end - at).unwrap_or(SEND_BYTES).min(SEND_BYTES);
        let piece = blob.read_at(at, length).map(Bytes::from).map_err(std::io::Error::other);
        let is_last = piece.is_err();
        if sender.blocking_send(piece).is_err() || is_last {
            return;
        }
        at += length as u64;
    }
}

fn send_parquet(name: &str, blob: &Arc<BlobReader>, rows: Range<u64>, sender: &Sender) {
    let mut piece = Vec::with_capacity(SEND_BYTES);
    let reader = match open_parquet(name, blob) {
        Ok(reader) => reader,
        Err(problem) => return drop(sender.blocking_send(Err(std::io::Error::other(problem.to_string())))),
    };
    let names = columns(&reader);
    let mut push = |number, cells: Vec<Value>| {
        if number >= rows.end {
            return Ok(false);
        }
        let value: Value = names.iter().cloned().zip(cells).collect();
        serde_json::to_writer(&mut piece, &value).map_err(internal)?;
        piece.push(b'\n');
        if piece.len() < SEND_BYTES {
            return Ok(true);
        }
        let full = std::mem::replace(&mut piece, Vec::with_capacity(SEND_BYTES));
        Ok(sender.blocking_send(Ok(Bytes::from(full))).is_ok())
    };
    let sent = parquet_rows(name, reader, rows.start, &mut push);
    let last = match sent {
        Ok(()) => Ok(Bytes::from(piece)),
        Err(problem) => Err(std::io::Error::other(problem.to_string())),
    };
    // a reader that went away is no failure
    let _ = sender.blocking_send(last);
}

fn locate(name: &str, blob: &Arc<BlobReader>, span: Span) -> Result<(Place, Range<u64>), Problem> {
    match Format::of(blob)? {
        Format::Csv => locate_csv(name, blob, span),
        Format::JsonLines => locate_lines(name, blob, span),
        Format::Parquet => {
            let rows = open_parquet(name, blob)?.count().unwrap_or(0);
            let found = span.within(rows).ok_or_else(|| beyond(name, rows, span))?;
            Ok((Place::Parquet, found))
        }
    }
}

fn beyond(name: &str, rows: u64, span: Span) -> Problem {
    Problem::invalid(format!("`{name}` has {rows} rows, none from {} on", span.start))
        .hint("rows count from 0 without the header, and the end is not part of the range")
}

/// Counts rows with a function that reads the next one and a function that says where it would begin.
fn count<T>(
    name: &str,
    span: Span,
    source: &mut T,
    next: impl Fn(&mut T) -> Result<bool, Problem>,
    position: impl Fn(&T) -> u64,
) -> Result<(Range<u64>, Range<u64>), Problem> {
    let mut rows = 0;
    while rows < span.start {
        if !next(source)? {
            return Err(beyond(name, rows, span));
        }
        rows += 1;
    }
    let start = position(source);
    while span.end.is_none_or(|end| rows < end) && next(source)? {
        rows += 1;
    }
    if rows == span.start && rows > 0 {
        return Err(beyond(name, rows, span));
    }
    Ok((start..position(source), span.start..rows))
}

fn locate_csv(name: &str, blob: &Arc<BlobReader>, span: Span) -> Result<(Place, Range<u64>), Problem> {
    let mut source = (CsvRows::open(name, blob)?, csv::ByteRecord::new());
    let header = source.0.position();
    let (body, rows) = count(name, span, &mut source, |(rows, row)| rows.next(row), |(rows, _)| rows.position())?;
    // the reader stops between `\r` and `\n`
    let settle = |at: u64| match blob.read_at(at.saturating_sub(1), 2).map_err(store_problem)?.as_slice() {
        b"\r\n" if at > 0 => Ok::<_, Problem>(at + 1),
        _ => Ok(at),
    };
    let (header, body) = (0..settle(header)?, settle(body.start)?..settle(body.end)?);
    Ok((Place::Text { media_type: "text/csv", header, body }, rows))
}

fn locate_lines(name: &str, blob: &Arc<BlobReader>, span: Span) -> Result<(Place, Range<u64>), Problem> {
    let mut source = (Lines::open(name, blob), Vec::new());
    let next = |(lines, line): &mut (Lines, Vec<u8>)| lines.next(line);
    let (body, rows) = count(name, span, &mut source, next, |(lines, _)| lines.position)?;
    Ok((Place::Text { media_type: "application/x-ndjson", header: 0..0, body }, rows))
}
