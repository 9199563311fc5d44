//! Rows of Parquet files.
//!
//! A decoder is sent only where depth, width and number of chunks are known to be bounded; what pages hold is counted
//! while they are read (`pages`). Texts stay where they are in their page: a dictionary of one long text that every row
//! names is no copy for every row.

mod pages;

use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use ::parquet::{basic::Encoding, basic::Type, file::metadata::ParquetMetaData};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};

use self::pages::Chunks;
use crate::{
    bounds::{batch_rows, check_columns},
    error::TableError,
    source::Source,
};

/// Groups inside of groups; decoders call themselves for each.
const NESTING_MAX: u32 = 64;
/// Longest footer. What it becomes in memory is some ten times as much.
const FOOTER_LEN_MAX: u64 = 32 << 20;
/// Chunks of columns, of all row groups together.
const CHUNKS_MAX: usize = 1 << 20;
/// Longest value of a type of fixed length, of which every row may hold a copy.
const FIXED_LEN_MAX: i32 = 64 << 10;
/// Rows of a batch in which each value may be as long as its page.
const DELTA_BATCH_ROWS: usize = 16;

pub(crate) struct Parquet {
    chunks: Chunks,
    metadata: ArrowReaderMetadata,
    batch_rows: usize,
    reader: ParquetRecordBatchReader,
    pub schema: SchemaRef,
    pub count: u64,
    read: u64,
}

impl Parquet {
    pub fn open(source: &Source) -> Result<Self, TableError> {
        check_footer(source)?;
        let chunks = Chunks::new(source);
        let (schema, metadata) = metadata(&chunks)?;
        check(metadata.metadata())?;
        let has_deltas = has_deltas(metadata.metadata());
        chunks.count_pages_of(metadata.metadata(), has_deltas);
        let count = u64::try_from(metadata.metadata().file_metadata().num_rows());
        let count = count.map_err(|_| TableError::malformed("it has fewer than no rows"))?;
        let batch_rows = match has_deltas {
            true => DELTA_BATCH_ROWS,
            false => batch_rows(schema.fields().len()),
        };
        let reader = builder(&chunks, &metadata).with_batch_size(batch_rows).build()?;
        Ok(Self { chunks, metadata, batch_rows, reader, schema, count, read: 0 })
    }

    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, TableError> {
        self.chunks.begin_batch();
        let batch = self.reader.next().transpose()?;
        self.read += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Ok(batch)
    }

    pub fn skip(&mut self, rows: u64) -> Result<(), TableError> {
        self.read = self.read.saturating_add(rows);
        let offset = usize::try_from(self.read).map_err(TableError::malformed)?;
        let builder = builder(&self.chunks, &self.metadata).with_batch_size(self.batch_rows);
        self.reader = builder.with_offset(offset).build()?;
        Ok(())
    }
}

fn builder(chunks: &Chunks, metadata: &ArrowReaderMetadata) -> ParquetRecordBatchReaderBuilder<Chunks> {
    ParquetRecordBatchReaderBuilder::new_with_metadata(chunks.clone(), metadata.clone())
}

/// Before anything of the footer is believed.
fn check_footer(source: &Source) -> Result<(), TableError> {
    match stemma_format::parquet_nesting(source.as_ref())? {
        None => return Err(TableError::malformed("its footer makes no sense")),
        Some(depth) if depth > NESTING_MAX => {
            let message = format!("its columns are nested {depth} deep, and {NESTING_MAX} are read");
            return Err(TableError::Malformed(message));
        }
        Some(_) => {}
    }
    // the footer was just read, so its length is there
    let len = u32::from_le_bytes(source.bytes_at(source.len() - 8, 4)?.try_into().unwrap_or_default());
    match u64::from(len) {
        len if len > FOOTER_LEN_MAX => {
            Err(TableError::Malformed(format!("its footer has {len} bytes, and {FOOTER_LEN_MAX} are read")))
        }
        _ => Ok(()),
    }
}

/// What Parquet itself says of its columns counts; a schema of another format, which some writers add, is passed over.
///
/// Returns the columns as they are called, and how they are read.
fn metadata(chunks: &Chunks) -> Result<(SchemaRef, ArrowReaderMetadata), TableError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let plain = ArrowReaderMetadata::load(chunks, options.clone())?;
    check_columns(plain.schema().fields().len())?;
    let fields: Vec<FieldRef> = plain.schema().fields().iter().map(viewed).collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, plain.schema().metadata().clone()));
    let read = ArrowReaderMetadata::try_new(plain.metadata().clone(), options.with_schema(schema))?;
    Ok((plain.schema().clone(), read))
}

/// The same field with texts and bytes as places in their pages. Called for no more levels than [`NESTING_MAX`].
fn viewed(field: &FieldRef) -> FieldRef {
    let datatype = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::List(item) => DataType::List(viewed(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(viewed).collect()),
        other => other.clone(),
    };
    Arc::new(Field::clone(field).with_data_type(datatype))
}

fn check(metadata: &ParquetMetaData) -> Result<(), TableError> {
    let columns = metadata.file_metadata().schema_descr().columns();
    check_columns(columns.len())?;
    let chunks = metadata.num_row_groups().saturating_mul(columns.len());
    if chunks > CHUNKS_MAX {
        return Err(TableError::Malformed(format!("it has {chunks} chunks of columns, and {CHUNKS_MAX} are read")));
    }
    let long = columns
        .iter()
        .find(|column| column.physical_type() == Type::FIXED_LEN_BYTE_ARRAY && column.type_length() > FIXED_LEN_MAX);
    match long {
        None => Ok(()),
        Some(column) => Err(TableError::Malformed(format!(
            "the values of its column `{}` have {} bytes each, and {FIXED_LEN_MAX} are read",
            column.name(),
            column.type_length()
        ))),
    }
}

/// Whether a column says that its values are what they add to the one before.
fn has_deltas(metadata: &ParquetMetaData) -> bool {
    let mut columns = metadata.row_groups().iter().flat_map(|group| group.columns());
    columns.any(|column| column.encodings().any(|encoding| encoding == Encoding::DELTA_BYTE_ARRAY))
}
