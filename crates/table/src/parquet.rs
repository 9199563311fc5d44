//! Rows of Parquet files.

use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{error::TableError, expand::Chunks, rows::BATCH_ROWS, source::Source};

/// Groups inside of groups; decoders call themselves for each.
const NESTING_MAX: u32 = 64;

pub(crate) struct Parquet {
    source: Source,
    reader: ParquetRecordBatchReader,
    pub schema: SchemaRef,
    pub count: u64,
    read: u64,
}

impl Parquet {
    pub fn open(source: &Source) -> Result<Self, TableError> {
        match stemma_format::parquet_nesting(source.as_ref())? {
            None => return Err(TableError::malformed("its footer makes no sense")),
            Some(depth) if depth > NESTING_MAX => {
                return Err(TableError::Malformed(format!(
                    "its columns are nested {depth} deep, and {NESTING_MAX} are read"
                )));
            }
            Some(_) => {}
        }
        let builder = builder(source)?;
        let schema = builder.schema().clone();
        let count = u64::try_from(builder.metadata().file_metadata().num_rows());
        let count = count.map_err(|_| TableError::malformed("it has fewer than no rows"))?;
        let reader = builder.with_batch_size(BATCH_ROWS).build()?;
        Ok(Self { source: source.clone(), reader, schema, count, read: 0 })
    }

    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, TableError> {
        let batch = self.reader.next().transpose()?;
        self.read += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Ok(batch)
    }

    pub fn skip(&mut self, rows: u64) -> Result<(), TableError> {
        self.read = self.read.saturating_add(rows);
        let offset = usize::try_from(self.read).map_err(TableError::malformed)?;
        self.reader = builder(&self.source)?.with_batch_size(BATCH_ROWS).with_offset(offset).build()?;
        Ok(())
    }
}

/// What Parquet itself says of its columns counts; a schema of another format, which some writers add, is passed over.
fn builder(source: &Source) -> Result<ParquetRecordBatchReaderBuilder<Chunks>, TableError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    Ok(ParquetRecordBatchReaderBuilder::try_new_with_options(Chunks(Arc::clone(source)), options)?)
}
