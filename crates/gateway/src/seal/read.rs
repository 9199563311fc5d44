//! Reading rows of a sealed part whose numbers are known.

use parquet::file::reader::ChunkReader;
use stemma_core::endpoint::prediction::PredictionRecord;

use super::{format::SealedError, part::OpenPart};

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
    let part = OpenPart::open_to_read(reader, first_row)?;
    let (group, start) = part.locate(row)?;
    let rest = start + part.group_rows(group) - u64::from(row);
    let rows: Vec<u32> = (row..).take(limit.min(usize::try_from(rest).unwrap_or(limit))).collect();
    let mut found = Vec::with_capacity(rows.len());
    part.read(&rows, |row, record| found.push((row, record)))?;
    Ok(found)
}
