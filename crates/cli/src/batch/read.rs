//! The input: rows of a CSV or Parquet file, a chunk at a time, whatever the file's size.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde::{Deserialize, Serialize};
use stemma_core::{Digest, Problem};

/// Rows of a chunk.
pub const CHUNK_ROWS: usize = 1_000;
/// Longest row of a CSV file.
const RECORD_BYTES_MAX: usize = 16 << 20;
/// A chunk of long rows ends before it has its full number.
const CHUNK_BYTES: usize = 32 << 20;

/// How a table is written.
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
    /// Exact for Parquet; for CSV the lines, which are more than the rows if cells hold line breaks.
    pub rows: u64,
}

/// Reads the whole file once.
pub fn overview(path: &Path, format: Format) -> Result<Overview, Problem> {
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
    let rows = match format {
        Format::Csv => (lines + u64::from(last != b'\n')).saturating_sub(1),
        Format::Parquet => {
            let rows = parquet_builder(path)?.metadata().file_metadata().num_rows();
            u64::try_from(rows).map_err(|_| unreadable(path, &"it has fewer than no rows"))?
        }
    };
    Ok(Overview { digest: Digest::from_bytes(*hasher.finalize().as_bytes()), rows })
}

/// A table that is being read.
pub struct Table {
    pub schema: SchemaRef,
    name: String,
    rows: Rows,
}

enum Rows {
    Csv(Box<csv::Reader<Bounded<File>>>),
    Parquet(ParquetRecordBatchReader),
}

impl Table {
    /// Opens a table after its first rows.
    pub fn open(path: &Path, format: Format, skip: u64) -> Result<Self, Problem> {
        match format {
            Format::Csv => Self::open_csv(path, skip),
            Format::Parquet => Self::open_parquet(path, skip),
        }
    }

    fn open_csv(path: &Path, skip: u64) -> Result<Self, Problem> {
        let file = Bounded { inner: open(path)?, left: RECORD_BYTES_MAX };
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(file);
        let headers = reader.headers().map_err(|error| unreadable(path, &error))?;
        let columns: Vec<Field> = headers.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        let mut table = Self {
            schema: Arc::new(Schema::new(columns)),
            name: path.display().to_string(),
            rows: Rows::Csv(Box::new(reader)),
        };
        table.check_names()?;
        table.skip_records(skip)?;
        Ok(table)
    }

    fn open_parquet(path: &Path, skip: u64) -> Result<Self, Problem> {
        let skip = usize::try_from(skip).map_err(|error| unreadable(path, &error))?;
        let builder = parquet_builder(path)?.with_batch_size(CHUNK_ROWS).with_offset(skip);
        let schema = builder.schema().clone();
        let reader = builder.build().map_err(|error| unreadable(path, &error))?;
        let table = Self { schema, name: path.display().to_string(), rows: Rows::Parquet(reader) };
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

    fn skip_records(&mut self, rows: u64) -> Result<(), Problem> {
        let Rows::Csv(reader) = &mut self.rows else { return Ok(()) };
        let mut record = csv::StringRecord::new();
        for _ in 0..rows {
            reader.get_mut().left = RECORD_BYTES_MAX;
            reader.read_record(&mut record).map_err(|error| bad_table(&self.name, &error))?;
        }
        Ok(())
    }

    /// Returns the next rows, `None` after the last.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, Problem> {
        match &mut self.rows {
            Rows::Parquet(reader) => match reader.next() {
                Some(Ok(batch)) => Ok(Some(batch)),
                Some(Err(error)) => Err(bad_table(&self.name, &error)),
                None => Ok(None),
            },
            Rows::Csv(reader) => {
                let records = records(reader).map_err(|error| bad_table(&self.name, &error))?;
                if records.is_empty() {
                    return Ok(None);
                }
                let column = |at: usize| -> ArrayRef {
                    let cells = records.iter().map(|record| Some(record.get(at).unwrap_or_default()));
                    Arc::new(cells.collect::<StringArray>())
                };
                let columns = (0..self.schema.fields().len()).map(column).collect();
                let batch = RecordBatch::try_new(self.schema.clone(), columns);
                batch.map(Some).map_err(|error| bad_table(&self.name, &error))
            }
        }
    }
}

fn records(reader: &mut csv::Reader<Bounded<File>>) -> Result<Vec<csv::StringRecord>, csv::Error> {
    let mut records = Vec::new();
    let (mut record, mut bytes) = (csv::StringRecord::new(), 0);
    while records.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
        reader.get_mut().left = RECORD_BYTES_MAX;
        if !reader.read_record(&mut record)? {
            break;
        }
        bytes += record.as_slice().len();
        records.push(record.clone());
    }
    Ok(records)
}

/// Gives up on a record that does not end, as after a stray quotation mark, before it fills the memory.
struct Bounded<R> {
    inner: R,
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let message = format!("a row is longer than {RECORD_BYTES_MAX} bytes; is a quotation mark left open?");
            return Err(io::Error::other(message));
        }
        let read = self.inner.read(buffer)?;
        self.left = self.left.saturating_sub(read);
        Ok(read)
    }
}

fn parquet_builder(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, Problem> {
    ParquetRecordBatchReaderBuilder::try_new(open(path)?).map_err(|error| unreadable(path, &error))
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
    fn csv_is_read_in_chunks_and_from_a_row_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        let lines: Vec<String> = (1..=2_500).map(|row| row.to_string()).collect();
        std::fs::write(&path, format!("n\n{}", lines.join("\n"))).unwrap();
        assert_eq!(overview(&path, Format::Csv).unwrap().rows, 2_500);
        let mut table = Table::open(&path, Format::Csv, 1_000).unwrap();
        let mut sizes = Vec::new();
        while let Some(batch) = table.next_batch().unwrap() {
            sizes.push(batch.num_rows());
        }
        assert_eq!(sizes, [1_000, 500]);
    }

    #[test]
    fn tables_that_are_none_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, "a,a\n1,2\n").unwrap();
        assert!(Table::open(&path, Format::Csv, 0).is_err());
        std::fs::write(&path, "a,b\n1\n").unwrap();
        assert!(Table::open(&path, Format::Csv, 0).unwrap().next_batch().is_err());
        assert!(Table::open(&path, Format::Parquet, 0).is_err());
    }

    #[test]
    fn a_row_without_an_end_is_given_up() {
        let mut endless = Bounded { inner: io::repeat(b'x'), left: 10 };
        let mut buffer = [0; 16];
        assert_eq!(endless.read(&mut buffer).unwrap(), 16);
        assert!(endless.read(&mut buffer).is_err());
    }
}
