//! Rows of CSV and Parquet files, one after the other.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read},
};

use parquet::{
    file::{reader::FileReader, serialized_reader::SerializedFileReader},
    record::{Field, reader::RowIter},
    schema::types::Type,
};

use super::{Side, TableError, row};

/// Longest row of a CSV file.
const RECORD_LEN_MAX: usize = 16 << 20;
/// Longest row once it is put into bytes.
const ROW_LEN_MAX: usize = 1 << 30;
/// What CSV files have between their cells.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Where the delimiter is looked for.
const SNIFFED_LEN: u64 = 64 << 10;

/// A table's bytes.
pub enum TableSource {
    /// With a header line; the delimiter is the one of `, ; tab |` that the header has most of.
    Csv(Box<dyn Read>),
    Parquet(File),
}

pub struct Reader {
    side: Side,
    columns: Vec<Column>,
    rows: Rows,
    /// Positions of the columns that are handed out.
    selected: Vec<usize>,
}

struct Column {
    name: String,
    /// CSV has no types.
    kind: Option<String>,
}

enum Rows {
    Csv { reader: Box<csv::Reader<Bounded>>, record: csv::ByteRecord },
    Parquet(Box<RowIter<'static>>),
}

impl Reader {
    pub fn open(source: TableSource, side: Side) -> Result<Self, TableError> {
        let (columns, rows) = match source {
            TableSource::Csv(source) => open_csv(source, side)?,
            TableSource::Parquet(file) => open_parquet(file, side)?,
        };
        let mut seen = HashSet::new();
        match columns.iter().find(|column| !seen.insert(column.name.as_str())) {
            Some(twice) => Err(TableError::ColumnTwice { side, column: twice.name.clone() }),
            None => Ok(Self { side, rows, selected: Vec::new(), columns }),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    pub fn kind(&self, name: &str) -> Option<&str> {
        self.columns.iter().find(|column| column.name == name)?.kind.as_deref()
    }

    /// From now on rows consist of these columns, in this order.
    pub fn select(&mut self, names: &[String]) -> Result<(), TableError> {
        let position = |name: &String| {
            let columns = || self.names().map(str::to_owned).collect();
            let missing = || TableError::NoColumn { side: self.side, column: name.clone(), columns: columns() };
            self.position(name).ok_or_else(missing)
        };
        self.selected = names.iter().map(position).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Replaces `row` by the next one; `false` after the last, with an empty row.
    pub fn read(&mut self, row: &mut Vec<u8>) -> Result<bool, TableError> {
        row.clear();
        let side = self.side;
        match &mut self.rows {
            Rows::Csv { reader, record } => {
                reader.get_mut().left = RECORD_LEN_MAX;
                if !reader.read_byte_record(record).map_err(|error| malformed(side, &error))? {
                    return Ok(false);
                }
                self.selected.iter().for_each(|at| row::push(row, record.get(*at)));
            }
            Rows::Parquet(rows) => {
                let Some(next) = rows.next() else { return Ok(false) };
                let next = next.map_err(|error| malformed(side, &error))?;
                let fields: Vec<&Field> = next.get_column_iter().map(|(_, field)| field).collect();
                self.selected.iter().for_each(|at| push_field(row, fields.get(*at).copied()));
            }
        }
        if row.len() > ROW_LEN_MAX {
            return Err(malformed(side, &format!("a row of {} bytes", row.len())));
        }
        Ok(true)
    }
}

fn malformed(side: Side, error: &dyn std::fmt::Display) -> TableError {
    TableError::Malformed { side, what: error.to_string() }
}

fn open_csv(mut source: Box<dyn Read>, side: Side) -> Result<(Vec<Column>, Rows), TableError> {
    let mut start = Vec::new();
    source.by_ref().take(SNIFFED_LEN).read_to_end(&mut start).map_err(|error| malformed(side, &error))?;
    let delimiter = delimiter(&start);
    // what Excel puts in front of UTF-8
    let start = start.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(start);
    let inner = Box::new(io::Cursor::new(start).chain(source));
    let bounded = Bounded { inner, left: RECORD_LEN_MAX };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(bounded);
    let headers = reader.headers().map_err(|error| malformed(side, &error))?;
    let columns = headers.iter().map(|name| Column { name: name.to_owned(), kind: None }).collect();
    Ok((columns, Rows::Csv { reader: Box::new(reader), record: csv::ByteRecord::new() }))
}

fn delimiter(start: &[u8]) -> u8 {
    let header = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| header.iter().filter(|byte| *byte == delimiter).count();
    // of several with the same count the first
    DELIMITERS.into_iter().rev().max_by_key(count).unwrap_or(b',')
}

fn open_parquet(file: File, side: Side) -> Result<(Vec<Column>, Rows), TableError> {
    let reader = SerializedFileReader::new(file).map_err(|error| malformed(side, &error))?;
    let schema = reader.metadata().file_metadata().schema().get_fields().to_vec();
    let column =
        |field: &parquet::schema::types::TypePtr| Column { name: field.name().to_owned(), kind: Some(kind(field)) };
    let columns = schema.iter().map(column).collect();
    let rows = RowIter::from_file_into(Box::new(reader));
    Ok((columns, Rows::Parquet(Box::new(rows))))
}

/// As in `INT64`, `BYTE_ARRAY (String)`
fn kind(field: &Type) -> String {
    let logical = field.get_basic_info().logical_type_ref().map(|logical| format!(" ({logical:?})"));
    let physical = match field {
        Type::PrimitiveType { physical_type, .. } => physical_type.to_string(),
        Type::GroupType { .. } => "group".to_owned(),
    };
    format!("{physical}{}", logical.unwrap_or_default())
}

/// Text as it is, without quotes; numbers so that no two have the same text.
fn push_field(row: &mut Vec<u8>, field: Option<&Field>) {
    match field {
        None | Some(Field::Null) => row::push(row, None),
        Some(Field::Str(text)) => row::push(row, Some(text.as_bytes())),
        Some(Field::Bytes(bytes)) => row::push(row, Some(bytes.data())),
        Some(Field::Float(number)) => row::push(row, Some(format!("{number:?}").as_bytes())),
        Some(Field::Double(number)) => row::push(row, Some(format!("{number:?}").as_bytes())),
        Some(other) => row::push(row, Some(other.to_string().as_bytes())),
    }
}

/// A row without an end must not fill the memory.
struct Bounded {
    inner: Box<dyn Read>,
    left: usize,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let too_long = || io::Error::other(format!("a row of more than {RECORD_LEN_MAX} bytes"));
        self.left = self.left.checked_sub(read).ok_or_else(too_long)?;
        Ok(read)
    }
}
