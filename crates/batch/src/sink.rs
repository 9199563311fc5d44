use std::{io::Write, path::PathBuf};

use arrow_array::RecordBatch;
use stemma_core::{ErrorKind, Problem};

use crate::{
    journal::{Journal, Tally},
    read::Format,
    write::{self, Layout},
};

/// Where chunks go.
pub enum Sink {
    Table { journal: Journal, output: PathBuf },
    Stream(Box<dyn Write + Send>, Tally),
}

impl Sink {
    /// Begins with the names of the columns.
    pub fn stream(mut stream: Box<dyn Write + Send>, layout: &Layout) -> Result<Self, Problem> {
        print(&mut stream, &write::header(layout)?)?;
        Ok(Self::Stream(stream, Tally::default()))
    }

    /// What it holds already.
    pub const fn done(&self) -> &Tally {
        match self {
            Self::Table { journal, .. } => journal.done(),
            Self::Stream(_, done) => done,
        }
    }

    pub fn put(&mut self, rows: &RecordBatch, tally: &Tally) -> Result<(), Problem> {
        match self {
            Self::Table { journal, .. } => {
                let content = write::encode(journal.format(), rows)?;
                journal.append(&content, tally)
            }
            Self::Stream(stream, done) => {
                done.add(tally);
                print(stream, &write::encode(Format::Csv, rows)?)
            }
        }
    }

    /// Puts the whole table in its place.
    pub fn finish(self, layout: &Layout, format: Format) -> Result<(), Problem> {
        match self {
            Self::Table { journal, output } => {
                write::assemble(layout, format, journal.chunks(), &journal.whole())?;
                journal.finish(&output)
            }
            Self::Stream(..) => Ok(()),
        }
    }
}

fn print(stream: &mut dyn Write, bytes: &[u8]) -> Result<(), Problem> {
    stream
        .write_all(bytes)
        .and_then(|()| stream.flush())
        .map_err(|error| Problem::new(ErrorKind::Config, format!("can't write to standard output: {error}")))
}
