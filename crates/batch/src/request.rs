//! What somebody asks for, and what came of it.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;
use stemma_api::Client;
use stemma_core::name::{EndpointName, ProjectName};

/// Who asks which home, in which project.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    pub client: &'a Client,
    pub project: &'a ProjectName,
}

/// An endpoint that is to answer every row of a table.
pub struct Request {
    pub endpoint: EndpointName,
    pub input: PathBuf,
    /// The column with the unit that each row is assigned to an arm by.
    pub unit: Option<String>,
    /// Columns of the input that go into the output; all if none are named.
    pub columns: Option<Vec<String>>,
    /// Rows that are asked for at the same time.
    pub concurrency: usize,
    /// So many rows may fail; without it all may.
    pub max_errors: Option<u64>,
    pub beginning: Beginning,
}

/// What becomes of an output, or a part of one, that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// A part is gone on with; a whole output is left alone.
    Resume,
    Anew,
}

/// Where the rows go with their answers.
pub enum Output {
    /// A table that is there whole or not at all; its ending says in which form.
    File(PathBuf),
    /// CSV, as far as it comes: what was interrupted can't be gone on with.
    Stream(Box<dyn Write + Send>),
}

impl Output {
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Stream(_) => None,
        }
    }
}

/// What the caller may tell the person who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// An interrupted batch goes on from this row.
    Resumed { row: u64, revision: u32 },
    /// An input is put together from several columns, in this order.
    Gathered { input: &'a str, columns: &'a [&'a str] },
    /// Of these rows, some are done already.
    Began { rows: u64, done: u64 },
    /// One more row has its answer.
    Answered,
    /// The batch stopped. So many rows are finished, and the same request goes on from there; none of a stream.
    Stopped { resumable_at: Option<u64> },
    /// All rows have their answers.
    Finished,
}

/// A batch that is done.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub endpoint: EndpointName,
    pub revision: u32,
    /// `-` for a stream.
    pub output: PathBuf,
    /// Of the output, whichever run wrote them.
    pub rows: u64,
    pub errors: u64,
    pub versions: BTreeMap<String, u64>,
    /// The first row of this run, if an interrupted one went before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_from: Option<u64>,
    pub seconds: f64,
}
