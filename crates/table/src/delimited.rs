//! Rows of text with something between the cells: CSV and its relatives.

use std::{
    borrow::Cow,
    io::{self, Read},
    sync::Arc,
};

use arrow_array::{ArrayRef, RecordBatch, builder::StringBuilder};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1252};
use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::{
    bounds::{BATCH_LEN, Delimiters, batch_rows, check_columns},
    dialect::{Dialect, Encoding, Header, SNIFFED_LEN, with_point},
    error::TableError,
    expand::{Expanded, Stream},
    number::Number,
};

/// Longest row.
const ROW_LEN_MAX: u64 = 16 << 20;
const BUFFER_LEN: usize = 256 << 10;

pub(crate) struct Delimited {
    reader: csv::Reader<Bounded>,
    dialect: Dialect,
    /// A first line that names no columns.
    first: Option<csv::ByteRecord>,
    pub schema: SchemaRef,
    /// Of the last batch's rows.
    pub lines: Vec<u64>,
}

impl Delimited {
    pub fn open(file: &Expanded, header: Header) -> Result<Self, TableError> {
        let start = decoded(file)?.take(SNIFFED_LEN as u64);
        let dialect = Dialect::of(&beginning(start)?);
        let delimiters = Delimiters::new(dialect.delimiter, BUFFER_LEN);
        let bounded = Bounded { inner: decoded(file)?, left: ROW_LEN_MAX, delimiters };
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .delimiter(dialect.delimiter)
            .quote(dialect.quote)
            .escape(dialect.escape)
            .buffer_capacity(BUFFER_LEN)
            .from_reader(bounded);
        let mut first = csv::ByteRecord::new();
        reader.read_byte_record(&mut first)?;
        check_columns(first.len())?;
        let names: Vec<String> = texts(&first).iter().map(|name| name.clone().into_owned()).collect();
        let is_row = header == Header::Guessed && names.iter().any(|name| Number::parse(name).is_some());
        let name = |(at, name): (usize, String)| if is_row { at.to_string() } else { name };
        let fields = names.into_iter().enumerate().map(name).map(|name| Field::new(name, DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { reader, dialect, first: is_row.then_some(first), schema, lines: Vec::new() })
    }

    pub fn delimiter(&self) -> u8 {
        self.dialect.delimiter
    }

    pub fn has_header(&self) -> bool {
        self.first.is_none()
    }

    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, TableError> {
        let most = batch_rows(self.schema.fields().len());
        let column = |_| StringBuilder::with_capacity(most, 0);
        let mut columns: Vec<StringBuilder> = self.schema.fields().iter().map(column).collect();
        let (mut row, mut len) = (csv::ByteRecord::new(), 0);
        self.lines.clear();
        while self.lines.len() < most && len < BATCH_LEN && self.read(&mut row)? {
            self.lines.push(row.position().map_or(0, csv::Position::line));
            len += row.as_slice().len();
            for (cell, column) in texts(&row).iter().zip(&mut columns) {
                match self.dialect.decimal_comma.then(|| with_point(cell)).flatten() {
                    Some(number) => column.append_value(number),
                    None => column.append_value(cell),
                }
            }
        }
        if self.lines.is_empty() || columns.is_empty() {
            return Ok(None);
        }
        let columns = columns.into_iter().map(|mut column| Arc::new(column.finish()) as ArrayRef).collect();
        Ok(Some(RecordBatch::try_new(self.schema.clone(), columns)?))
    }

    fn read(&mut self, row: &mut csv::ByteRecord) -> Result<bool, TableError> {
        if let Some(first) = self.first.take() {
            *row = first;
            return Ok(true);
        }
        self.reader.get_mut().begin_row();
        Ok(self.reader.read_byte_record(row)?)
    }
}

/// A file as UTF-8 without a mark in front; a row in another encoding of single bytes stays as it is.
fn decoded(file: &Expanded) -> Result<Stream, TableError> {
    let encoding = match Encoding::of(&file.beginning(SNIFFED_LEN)?) {
        Some(Encoding::Utf16Le) => Some(UTF_16LE),
        Some(Encoding::Utf16Be) => Some(UTF_16BE),
        _ => None,
    };
    let mut decoder = DecodeReaderBytesBuilder::new();
    decoder.encoding(encoding).utf8_passthru(true).strip_bom(true).bom_override(true);
    Ok(Box::new(decoder.build(file.stream()?)))
}

fn beginning(mut start: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    start.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The cells of a row: all of them in UTF-8, or all in Windows-1252.
fn texts(row: &csv::ByteRecord) -> Vec<Cow<'_, str>> {
    match std::str::from_utf8(row.as_slice()) {
        Ok(_) if row.iter().all(|cell| std::str::from_utf8(cell).is_ok()) => {
            row.iter().map(String::from_utf8_lossy).collect()
        }
        _ => row.iter().map(|cell| WINDOWS_1252.decode_without_bom_handling(cell).0).collect(),
    }
}

/// Gives up on a row that does not end, as after a stray quotation mark, before it fills the memory.
struct Bounded {
    inner: Stream,
    left: u64,
    delimiters: Delimiters,
}

impl Bounded {
    fn begin_row(&mut self) {
        self.left = ROW_LEN_MAX;
        self.delimiters.begin_row();
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let message = format!("a row is longer than {ROW_LEN_MAX} bytes: is a quotation mark left open?");
            return Err(io::Error::other(message));
        }
        let read = self.inner.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        self.delimiters.count(&buffer[..read])?;
        Ok(read)
    }
}
