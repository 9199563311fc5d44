//! Reading rows of a sealed part: the footer, the page index of one row group, then one page of each column.

use std::sync::Arc;

use arrow_array::RecordBatch;
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
use stemma_core::endpoint::prediction::PredictionRecord;

use super::{
    cells::Cells,
    columns::{self, REFUSED},
    v1,
};
use crate::log::ArmCounts;

/// What a file's metadata calls its version of the stored format.
pub const FORMAT: &str = "stemma.format";
/// The version that is written.
pub const WRITTEN_FORMAT: &str = "2";

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
    #[error("sealed predictions are of version {0}, which a newer Stemma wrote; this one reads up to {WRITTEN_FORMAT}")]
    Newer(String),
    #[error("sealed predictions do not say their version")]
    NoVersion,
}

/// The versions of the stored format that are read.
#[derive(Clone, Copy)]
enum Format {
    V1,
    V2,
}

impl Format {
    fn of(metadata: &ParquetMetaData) -> Result<Self, SealedError> {
        let notes = metadata.file_metadata().key_value_metadata().into_iter().flatten();
        let version = notes.filter(|note| note.key == FORMAT).find_map(|note| note.value.as_deref());
        match version {
            Some("1") => Ok(Self::V1),
            Some(WRITTEN_FORMAT) => Ok(Self::V2),
            Some(newer) => Err(SealedError::Newer(newer.to_owned())),
            None => Err(SealedError::NoVersion),
        }
    }

    fn record_at(self, batch: &RecordBatch, at: usize) -> Option<(u32, PredictionRecord)> {
        match self {
            Self::V1 => v1::record_at(batch, at),
            Self::V2 => columns::record_at(batch, at),
        }
    }

    /// The columns by which answers are counted.
    const fn counted(self) -> [&'static str; 3] {
        match self {
            Self::V1 => ["revision", v1::ARM, "status"],
            Self::V2 => ["revision", columns::ARM, "status"],
        }
    }
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
    let format = Format::of(&metadata)?;
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
            match format.record_at(&batch, at) {
                Some((stored, record)) if stored == expected => found.push((stored, record)),
                _ => return Err(SealedError::Corrupt { row: expected }),
            }
        }
    }
    Ok(found)
}

/// Counts the rows of a sealed part that an arm answered, or failed to, by revision and arm, reading only these columns.
pub fn count_sealed<R: ChunkReader + 'static>(reader: R) -> Result<ArmCounts, SealedError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(reader)?;
    let columns = Format::of(builder.metadata())?.counted();
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
