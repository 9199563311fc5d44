//! Counting what arms answered, by columns alone.

use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, RowGroupMetaData},
        reader::ChunkReader,
    },
};
use stemma_core::endpoint::prediction::REPORTED_REVISION;

use super::{
    cells::Cells,
    columns::{REFUSED, REPORTED_ID},
    format::{Format, SealedError},
};
use crate::log::ArmCounts;

/// Rows decoded at a time.
const COUNT_ROWS: usize = 8192;

/// Counts the rows of a sealed part that an arm answered, or failed to, by revision and arm, reading only these columns.
pub fn count_sealed<R: ChunkReader + 'static>(reader: R) -> Result<ArmCounts, SealedError> {
    count(reader, |_| true)
}

/// The same only of what was reported: row groups without any are not read.
pub fn count_reported<R: ChunkReader + 'static>(reader: R) -> Result<ArmCounts, SealedError> {
    let mut counts = count(reader, may_hold_reports)?;
    counts.retain(|(revision, _), _| *revision == REPORTED_REVISION);
    Ok(counts)
}

fn count<R: ChunkReader + 'static>(
    reader: R,
    may_count: impl Fn(&RowGroupMetaData) -> bool,
) -> Result<ArmCounts, SealedError> {
    let metadata = ArrowReaderMetadata::load(&reader, ArrowReaderOptions::new())?;
    let columns = ["revision", Format::of(metadata.metadata())?.arm(), "status"];
    let groups = metadata.metadata().row_groups().iter().enumerate();
    let groups: Vec<usize> = groups.filter(|(_, group)| may_count(group)).map(|(at, _)| at).collect();
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(reader, metadata);
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
    let mut counts = ArmCounts::new();
    for batch in builder.with_row_groups(groups).with_projection(mask).with_batch_size(COUNT_ROWS).build()? {
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

/// Whether statistics leave it open; files from before predictions were reported lack the column.
fn may_hold_reports(group: &RowGroupMetaData) -> bool {
    let column = group.columns().iter().find(|column| column.column_path().string() == REPORTED_ID);
    column.is_some_and(|column| !is_empty(column))
}

fn is_empty(column: &ColumnChunkMetaData) -> bool {
    let nulls = column.statistics().and_then(|statistics| statistics.null_count_opt());
    nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(column.num_values()))
}
