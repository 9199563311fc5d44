//! The input: rows of a table file in any form, a chunk at a time, whatever the file's size.

use std::{fs::File, io::Read as _, path::Path, sync::Arc};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};
use stemma_core::{Digest, Problem};
use stemma_table::{FileSource, Header, Rows, Source};

/// How an output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Csv,
    Parquet,
}

impl Format {
    /// By the file's ending.
    pub fn of(path: &Path) -> Result<Self, Problem> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(Problem::invalid(format!("`{}` is neither CSV nor Parquet by its name", path.display()))
                .hint("let it end with `.csv` or `.parquet`")),
        }
    }

    pub const fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// What is known of an input before its rows are read.
#[derive(Debug, Clone)]
pub struct Overview {
    pub digest: Digest,
    /// Exact if the file says it, as Parquet does; else the lines, which are more than the rows if cells hold line breaks.
    pub rows: u64,
}

/// Reads the whole file once.
pub fn overview(path: &Path) -> Result<Overview, Problem> {
    let mut file = open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let (mut lines, mut last) = (0u64, b'\n');
    loop {
        let read = file.read(&mut buffer).map_err(|error| unreadable(path, &error))?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
        lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        last = bytes[bytes.len() - 1];
    }
    let lines = (lines + u64::from(last != b'\n')).saturating_sub(1);
    let rows = rows_of(path)?.count().unwrap_or(lines);
    Ok(Overview { digest: Digest::from_bytes(*hasher.finalize().as_bytes()), rows })
}

/// A table that is being read.
pub struct Table {
    pub schema: SchemaRef,
    name: String,
    rows: Rows,
    /// What is left of a batch that began before the first row.
    rest: Option<RecordBatch>,
}

impl Table {
    /// Opens a table after its first rows.
    pub fn open(path: &Path, skip: u64) -> Result<Self, Problem> {
        let name = path.display().to_string();
        let mut rows = rows_of(path)?;
        let rest = rows.skip(skip).map_err(|error| bad_table(&name, &error))?;
        let table = Self { schema: rows.schema.clone(), name, rows, rest };
        table.check_names()?;
        Ok(table)
    }

    /// Columns are found by name.
    fn check_names(&self) -> Result<(), Problem> {
        let mut seen = std::collections::HashSet::new();
        match self.schema.fields().iter().find(|field| !seen.insert(field.name().as_str())) {
            Some(twice) => Err(Problem::invalid(format!("`{}` has the column `{}` twice", self.name, twice.name()))),
            None => Ok(()),
        }
    }

    /// Returns the next rows, `None` after the last.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, Problem> {
        match self.rest.take() {
            Some(rest) => Ok(Some(rest)),
            None => self.rows.next_batch().map_err(|error| bad_table(&self.name, &error)),
        }
    }
}

fn rows_of(path: &Path) -> Result<Rows, Problem> {
    let file = FileSource::open(path).map_err(|error| unreadable(path, &error))?;
    let source: Source = Arc::new(file);
    Rows::open(&source, Header::First).map_err(|error| unreadable(path, &error))
}

fn open(path: &Path) -> Result<File, Problem> {
    File::open(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Problem {
    Problem::invalid(format!("can't read `{}`: {error}", path.display()))
}

fn bad_table(name: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::invalid(format!("`{name}` is damaged: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_the_ending() {
        assert_eq!(Format::of(Path::new("a.b.CSV")).unwrap(), Format::Csv);
        assert_eq!(Format::of(Path::new("x.parquet")).unwrap(), Format::Parquet);
        assert!(Format::of(Path::new("x.json")).is_err());
        assert!(Format::of(Path::new("csv")).is_err());
    }

    #[test]
    fn a_table_is_read_in_chunks_and_from_a_row_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        let lines: Vec<String> = (1..=2_500).map(|row| row.to_string()).collect();
        std::fs::write(&path, format!("n\n{}", lines.join("\n"))).unwrap();
        assert_eq!(overview(&path).unwrap().rows, 2_500);
        let mut table = Table::open(&path, 1_200).unwrap();
        let mut sizes = Vec::new();
        while let Some(batch) = table.next_batch().unwrap() {
            sizes.push(batch.num_rows());
        }
        assert_eq!(sizes, [800, 500]);
    }

    #[test]
    fn tables_that_are_none_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, "a,a\n1,2\n").unwrap();
        assert!(Table::open(&path, 0).is_err());
        std::fs::write(&path, "a,b\n1\n").unwrap();
        assert!(Table::open(&path, 0).unwrap().next_batch().is_err());
        std::fs::write(&path, b"PAR1 and nothing else").unwrap();
        assert!(Table::open(&path, 0).is_err());
    }
}
