//! Counting what arms answered, by columns alone.

use parquet::{
    arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder},
    errors::ParquetError,
    file::reader::ChunkReader,
};

use super::{
    cells::Cells,
    columns::REFUSED,
    format::{Format, SealedError},
};
use crate::log::ArmCounts;

/// Rows decoded at a time.
const COUNT_ROWS: usize = 8192;

/// Counts the rows of a sealed part that an arm answered, or failed to, by revision and arm, reading only these columns.
pub fn count_sealed<R: ChunkReader + 'static>(reader: R) -> Result<ArmCounts, SealedError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(reader)?;
    let columns = ["revision", Format::of(builder.metadata())?.arm(), "status"];
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
    let mut counts = ArmCounts::new();
    for batch in builder.with_projection(mask).with_batch_size(COUNT_ROWS).build()? {
        let batch = batch.map_err(ParquetError::from)?;
        for at in 0..batch.num_rows() {
            let damaged = || SealedError::Corrupt { row: u32::try_from(at).unwrap_or(u32::MAX) };
            let cells = Cells { of: &batch, at };
            let [revision, arm, status] = columns;
            let revision = cells.number(revision).ok_or_else(damaged)?;
            let (arm, status) = (cells.maybe(arm).ok_or_else(damaged)?, cells.text(status).ok_or_else(damaged)?);
            let Some(arm) = arm.filter(|_| status != REFUSED) else { continue };
            match counts.iter_mut().find(|((known, name), _)| (*known, name.as_str()) == (revision, arm)) {
                Some((_, count)) => *count += 1,
                None => drop(counts.insert((revision, arm.to_owned()), 1)),
            }
        }
    }
    Ok(counts)
}
