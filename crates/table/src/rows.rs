//! A table that is being read, whatever it is written as.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{
    arrow::Arrow,
    delimited::Delimited,
    dialect::{Header, SNIFFED_LEN},
    error::{TableError, guarded},
    expand::Expanded,
    form::{Beginning, Compression, Form, Format},
    json::Json,
    numpy::Numpy,
    parquet::Parquet,
    source::Source,
};

/// Compression inside of compression.
const LAYERS_MAX: usize = 2;

/// The rows of a table, from the first to the last, in batches.
pub struct Rows {
    pub format: Format,
    pub schema: SchemaRef,
    inner: Inner,
    /// Rows that were handed out.
    read: u64,
}

enum Inner {
    Delimited(Box<Delimited>),
    Json(Box<Json>),
    Parquet(Box<Parquet>),
    Arrow(Box<Arrow>),
    Numpy(Box<Numpy>),
}

impl Rows {
    /// Looks at the first bytes, and at names and types of the columns. What is said of text holds for text only: other
    /// forms name their columns or number them.
    pub fn open(source: &Source, header: Header) -> Result<Self, TableError> {
        guarded(|| Self::open_unguarded(source, header))
    }

    fn open_unguarded(source: &Source, header: Header) -> Result<Self, TableError> {
        let mut file = Expanded { source: source.clone(), compression: None };
        let mut outer: Option<Compression> = None;
        for _ in 0..=LAYERS_MAX {
            match Beginning::of(&file.beginning(SNIFFED_LEN)?) {
                Beginning::Compressed(compression) => {
                    file = Expanded { source: file.spooled()?, compression: Some(compression) };
                    outer = outer.or(Some(compression));
                }
                beginning => return Self::of(beginning, &file, outer, header),
            }
        }
        Err(TableError::Other("compressed more than twice"))
    }

    fn of(
        beginning: Beginning,
        file: &Expanded,
        compression: Option<Compression>,
        header: Header,
    ) -> Result<Self, TableError> {
        let (form, schema, inner) = match beginning {
            Beginning::Text => {
                let text = Delimited::open(file, header)?;
                let form = Form::Text { delimiter: text.delimiter() };
                (form, text.schema.clone(), Inner::Delimited(Box::new(text)))
            }
            Beginning::Json => {
                let json = Json::open(file)?;
                (Form::Json, json.schema.clone(), Inner::Json(Box::new(json)))
            }
            Beginning::Parquet => {
                let parquet = Parquet::open(&file.spooled()?)?;
                (Form::Parquet, parquet.schema.clone(), Inner::Parquet(Box::new(parquet)))
            }
            Beginning::ArrowFile | Beginning::ArrowStream => {
                let arrow = Arrow::open(file, matches!(beginning, Beginning::ArrowFile))?;
                (Form::Arrow, arrow.schema.clone(), Inner::Arrow(Box::new(arrow)))
            }
            Beginning::Numpy => {
                let arrays = Numpy::open(&file.spooled()?)?;
                (Form::Numpy, arrays.schema.clone(), Inner::Numpy(Box::new(arrays)))
            }
            Beginning::Compressed(_) => return Err(TableError::Other("compressed more than twice")),
            Beginning::Other(what) => return Err(TableError::Other(what)),
        };
        Ok(Self { format: Format { form, compression }, schema, inner, read: 0 })
    }

    /// The next rows; `None` after the last.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, TableError> {
        let batch = guarded(|| match &mut self.inner {
            Inner::Delimited(rows) => rows.next_batch(),
            Inner::Json(rows) => rows.next_batch(),
            Inner::Parquet(rows) => rows.next_batch(),
            Inner::Arrow(rows) => rows.next_batch(),
            Inner::Numpy(rows) => rows.next_batch(),
        })?;
        self.read += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Ok(batch)
    }

    /// Passes over rows from here on; what Parquet can skip is not decoded. Returns how many there were.
    pub fn skip(&mut self, rows: u64) -> Result<Option<RecordBatch>, TableError> {
        if let Inner::Parquet(parquet) = &mut self.inner {
            guarded(|| parquet.skip(rows))?;
            self.read += rows;
            return Ok(None);
        }
        let mut left = rows;
        while left > 0 {
            let Some(batch) = self.next_batch()? else { return Ok(None) };
            let count = batch.num_rows() as u64;
            if count > left {
                // less than a batch, so it fits
                let skipped = left as usize;
                return Ok(Some(batch.slice(skipped, batch.num_rows() - skipped)));
            }
            left -= count;
        }
        Ok(None)
    }

    /// How many rows there are, if the file says so without being read.
    pub fn count(&self) -> Option<u64> {
        match &self.inner {
            Inner::Parquet(rows) => Some(rows.count),
            Inner::Numpy(rows) => Some(rows.count),
            _ => None,
        }
    }

    /// The place of a row of the last batch in the file: its line if it is text with lines, else its number from 1.
    pub fn place(&self, row: usize, batch: &RecordBatch) -> u64 {
        match &self.inner {
            Inner::Delimited(rows) => rows.lines.get(row).copied().unwrap_or_default(),
            _ => self.read - batch.num_rows() as u64 + row as u64 + 1,
        }
    }

    /// False if a text's first line was taken for a row.
    pub fn has_header(&self) -> bool {
        match &self.inner {
            Inner::Delimited(rows) => rows.has_header(),
            Inner::Numpy(_) => false,
            _ => true,
        }
    }
}
