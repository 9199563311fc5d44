//! Reading rows of a sealed part: the footer, the page index of one row group, then one page of each column.

use std::sync::Arc;

use arrow_array::{cast::AsArray as _, types::UInt32Type};
use parquet::{
    arrow::ProjectionMask,
    arrow::arrow_reader::{
        ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
    },
    errors::ParquetError,
    file::{
        metadata::{
            ColumnChunkMask, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
            ParquetStatisticsPolicy,
        },
        reader::ChunkReader,
    },
};
use stemma_core::prediction::PredictionRecord;

use super::columns::record_at;
use crate::log::ArmCounts;

/// Rows decoded at a time to count them.
const COUNT_ROWS: usize = 8192;

/// Why a row of a sealed part could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    #[error("sealed predictions cannot be read: {0}")]
    Parquet(#[from] ParquetError),
    #[error("sealed predictions hold rows {first}..{end}, not row {row}")]
    NoSuchRow { row: u32, first: u32, end: u64 },
    #[error("sealed predictions are damaged at row {row}")]
    Corrupt { row: u32 },
}

/// Returns one record of a sealed part that begins with `first_row`.
///
/// The bytes are those that were sealed: whoever fetched them has checked their digest.
pub fn read_sealed<R: ChunkReader + 'static>(
    reader: R,
    first_row: u32,
    row: u32,
) -> Result<PredictionRecord, SealedError> {
    let mut found = read_sealed_rows(reader, first_row, row, 1)?;
    found.pop().map(|(_, record)| record).ok_or(SealedError::Corrupt { row })
}

/// Returns at most `limit` records with their rows, from `row` on and in order.
///
/// Ends with the row group that `row` lies in; ask again from the last row on.
pub fn read_sealed_rows<R: ChunkReader + 'static>(
    reader: R,
    first_row: u32,
    row: u32,
    limit: usize,
) -> Result<Vec<(u32, PredictionRecord)>, SealedError> {
    let metadata = footer(&reader)?;
    let Some((group, skip)) = locate(&metadata, first_row, row) else {
        let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
        return Err(SealedError::NoSuchRow { row, first: first_row, end: u64::from(first_row) + rows });
    };
    let metadata = with_offset_index(metadata, group, &reader)?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), options)?;
    let rows = usize::try_from(metadata.metadata().row_group(group).num_rows()).unwrap_or(0);
    let wanted = limit.min(rows - skip);
    let selection = RowSelection::from(vec![
        RowSelector::skip(skip),
        RowSelector::select(wanted),
        RowSelector::skip(rows - skip - wanted),
    ]);
    let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(reader, metadata)
        .with_row_groups(vec![group])
        .with_row_selection(selection)
        .with_batch_size(wanted.clamp(1, 1024))
        .build()?;
    let mut found = Vec::with_capacity(wanted);
    for batch in batches {
        let batch = batch.map_err(ParquetError::from)?;
        for at in 0..batch.num_rows() {
            let expected = row + found.len() as u32;
            match record_at(&batch, at) {
                Some((stored, record)) if stored == expected => found.push((stored, record)),
                _ => return Err(SealedError::Corrupt { row: expected }),
            }
        }
    }
    Ok(found)
}

/// Counts the rows of a sealed part by revision and arm, reading only these two columns.
pub fn count_sealed<R: ChunkReader + 'static>(reader: R) -> Result<ArmCounts, SealedError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(reader)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["revision", "variant"]);
    let mut counts = ArmCounts::new();
    for batch in builder.with_projection(mask).with_batch_size(COUNT_ROWS).build()? {
        let batch = batch.map_err(ParquetError::from)?;
        let damaged = |row: usize| SealedError::Corrupt { row: u32::try_from(row).unwrap_or(u32::MAX) };
        let revisions = batch.column_by_name("revision").and_then(|column| column.as_primitive_opt::<UInt32Type>());
        let variants = batch.column_by_name("variant").and_then(|column| column.as_string_opt::<i32>());
        let (Some(revisions), Some(variants)) = (revisions, variants) else {
            return Err(damaged(0));
        };
        for row in 0..batch.num_rows() {
            let arm = (revisions.value(row), variants.value(row));
            match counts.iter_mut().find(|((revision, variant), _)| (*revision, variant.as_str()) == arm) {
                Some((_, count)) => *count += 1,
                None => drop(counts.insert((arm.0, arm.1.to_owned()), 1)),
            }
        }
    }
    Ok(counts)
}

fn footer<R: ChunkReader>(reader: &R) -> Result<ParquetMetaData, ParquetError> {
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_as_mask(true);
    ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Skip)
        .with_metadata_options(Some(options))
        .parse_and_finish(reader)
}

/// Returns the row group that holds a row, and the row's position in it.
fn locate(metadata: &ParquetMetaData, first_row: u32, row: u32) -> Option<(usize, usize)> {
    let mut position = u64::from(row.checked_sub(first_row)?);
    for (group, description) in metadata.row_groups().iter().enumerate() {
        let rows = u64::try_from(description.num_rows()).ok()?;
        if position < rows {
            return Some((group, usize::try_from(position).ok()?));
        }
        position -= rows;
    }
    None
}

fn with_offset_index<R: ChunkReader>(
    metadata: ParquetMetaData,
    group: usize,
    reader: &R,
) -> Result<ParquetMetaData, ParquetError> {
    let mut indexes = ParquetMetaDataReader::new_with_metadata(metadata)
        .with_column_index_policy(PageIndexPolicy::Skip)
        .with_offset_index_policy(PageIndexPolicy::Required)
        .with_offset_index_mask(ColumnChunkMask::row_groups([group]));
    indexes.read_page_indexes(reader)?;
    indexes.finish()
}
