//! Tables in the store read from their beginning, row by row: CSV, JSON lines and Parquet, whatever their size.
//!
//! Memory is bounded by one row, and that by [`ROW_BYTES_MAX`]; what is read was checked by the store.

use std::{
    cell::Cell,
    io::{self, BufRead as _, BufReader, Read},
    rc::Rc,
    sync::Arc,
};

use serde_json::Value;
use stemma_core::Problem;
use stemma_store::BlobReader;
use stemma_table::{Delimiters, Header, Rows, Source, check_columns};

use crate::problem::store_problem;

/// Longest row of CSV or JSON lines.
const ROW_BYTES_MAX: u64 = 16 << 20;
const BUFFER_BYTES: usize = 256 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    JsonLines,
    Parquet,
}

impl Format {
    /// By the first bytes, as file names say little.
    pub fn of(blob: &BlobReader) -> Result<Self, Problem> {
        let start = blob.read_at(0, 512).map_err(store_problem)?;
        let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
        Ok(match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
            _ if start.starts_with(b"PAR1") => Self::Parquet,
            Some(b'{') => Self::JsonLines,
            _ => Self::Csv,
        })
    }
}

/// Reads a blob from its start, and fails if one row takes too much of it.
pub struct Bounded {
    blob: Arc<BlobReader>,
    at: u64,
    /// Bytes that may still be read before the next row.
    left: Rc<Cell<u64>>,
    /// `None` where lines have no cells.
    delimiters: Option<Delimiters>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.blob.read_into_at(self.at, buffer).map_err(io::Error::other)?;
        self.at += read as u64;
        let left = self.left.get().checked_sub(read as u64);
        let too_long = || io::Error::other(format!("a row is longer than {ROW_BYTES_MAX} bytes: is a quote open?"));
        self.left.set(left.ok_or_else(too_long)?);
        if let Some(delimiters) = &mut self.delimiters {
            delimiters.count(&buffer[..read])?;
        }
        Ok(read)
    }
}

/// The rows of a CSV file as they stand in it.
pub struct CsvRows {
    name: String,
    reader: csv::Reader<Bounded>,
    left: Rc<Cell<u64>>,
    pub columns: Vec<String>,
}

impl CsvRows {
    pub fn open(name: &str, blob: &Arc<BlobReader>) -> Result<Self, Problem> {
        let left = Rc::new(Cell::new(ROW_BYTES_MAX));
        let delimiter = delimiter(&blob.read_at(0, BUFFER_BYTES).map_err(store_problem)?);
        let delimiters = Some(Delimiters::new(delimiter, BUFFER_BYTES));
        let source = Bounded { blob: blob.clone(), at: 0, left: left.clone(), delimiters };
        let mut builder = csv::ReaderBuilder::new();
        let mut reader = builder.delimiter(delimiter).buffer_capacity(BUFFER_BYTES).from_reader(source);
        let headers = reader.byte_headers().map_err(|error| malformed(name, &error))?;
        check_columns(headers.len()).map_err(|error| malformed(name, &error))?;
        let text = |cell: &[u8]| String::from_utf8_lossy(cell).trim_start_matches('\u{feff}').to_owned();
        let columns = headers.iter().map(text).collect();
        Ok(Self { name: name.to_owned(), reader, left, columns })
    }

    /// Where the next row begins.
    pub fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    pub fn next(&mut self, row: &mut csv::ByteRecord) -> Result<bool, Problem> {
        self.left.set(ROW_BYTES_MAX);
        if let Some(delimiters) = &mut self.reader.get_mut().delimiters {
            delimiters.begin_row();
        }
        self.reader.read_byte_record(row).map_err(|error| malformed(&self.name, &error))
    }
}

/// The one of `, ; tab |` that the header line has most of.
fn delimiter(start: &[u8]) -> u8 {
    let header = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| header.iter().filter(|byte| *byte == delimiter).count();
    [b'|', b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

fn malformed(name: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::invalid(format!("`{name}` can't be read as a table: {error}"))
        .hint("correct the row and `stemma add` the file again; whole content is got with `stemma get`")
}

/// The lines of a file of JSON lines that are not empty.
pub struct Lines {
    name: String,
    reader: BufReader<Bounded>,
    left: Rc<Cell<u64>>,
    /// Where the next line begins.
    pub position: u64,
    pub number: u64,
}

impl Lines {
    pub fn open(name: &str, blob: &Arc<BlobReader>) -> Self {
        let left = Rc::new(Cell::new(ROW_BYTES_MAX));
        let source = Bounded { blob: blob.clone(), at: 0, left: left.clone(), delimiters: None };
        let reader = BufReader::with_capacity(BUFFER_BYTES, source);
        Self { name: name.to_owned(), reader, left, position: 0, number: 0 }
    }

    pub fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, Problem> {
        loop {
            line.clear();
            self.left.set(ROW_BYTES_MAX);
            let read = self.reader.read_until(b'\n', line).map_err(|error| malformed(&self.name, &error))?;
            self.position += read as u64;
            self.number += 1;
            if read == 0 || line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                return Ok(read > 0);
            }
        }
    }

    pub fn parse(&self, line: &[u8]) -> Result<serde_json::Map<String, Value>, Problem> {
        serde_json::from_slice(line).map_err(|error| {
            let place = format!("line {}: {error}", self.number);
            malformed(&self.name, &place)
        })
    }
}

pub fn open_parquet(name: &str, blob: &Arc<BlobReader>) -> Result<Rows, Problem> {
    let source: Source = blob.clone();
    Rows::open(&source, Header::First).map_err(|error| malformed(name, &error))
}

/// Names of the columns in their order.
pub fn columns(rows: &Rows) -> Vec<String> {
    rows.schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// Calls `act` with each row from `first` on, and its number, until it says `false`; what lies before it is passed over.
pub fn parquet_rows(
    name: &str,
    mut rows: Rows,
    first: u64,
    act: &mut dyn FnMut(u64, Vec<Value>) -> Result<bool, Problem>,
) -> Result<(), Problem> {
    let mut number = first;
    rows.skip(first).map_err(|error| malformed(name, &error))?;
    while let Some(batch) = rows.next_batch().map_err(|error| malformed(name, &error))? {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| stemma_table::json(column, row)).collect();
            if !act(number, cells)? {
                return Ok(());
            }
            number += 1;
        }
    }
    Ok(())
}

/// A cell as text; none for null.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
