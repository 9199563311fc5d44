//! A sealed part that is open: its footer is read once, and rows are read in it by the page index of their row group and one
//! page of each column.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection},
    errors::ParquetError,
    file::{
        metadata::{
            ColumnChunkMask, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
            ParquetStatisticsPolicy,
        },
        reader::{ChunkReader, Length},
    },
};
use stemma_core::endpoint::prediction::PredictionRecord;

use super::format::{Format, SealedError};

/// Rows decoded at a time: a record may be long.
const DECODED_ROWS: usize = 64;

/// A sealed part whose footer was read.
pub struct OpenPart<R> {
    pub(super) reader: Shared<R>,
    pub(super) metadata: ParquetMetaData,
    pub(super) format: Format,
    pub(super) first_row: u32,
}

/// A reader that is read from several times.
pub struct Shared<R>(Arc<R>);

impl<R> Clone for Shared<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Length> Length for Shared<R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for Shared<R> {
    type T = R::T;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        self.0.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

impl<R: ChunkReader + 'static> OpenPart<R> {
    /// Opens a part that begins with `first_row`, to look for rows and to read them.
    ///
    /// The bytes are those that were sealed: whoever fetched them has checked their digest.
    pub fn open(reader: R, first_row: u32) -> Result<Self, SealedError> {
        Self::with(reader, first_row, ParquetStatisticsPolicy::KeepAll)
    }

    /// The same, only to read rows that are known.
    pub(super) fn open_to_read(reader: R, first_row: u32) -> Result<Self, SealedError> {
        Self::with(reader, first_row, ParquetStatisticsPolicy::SkipAll)
    }

    fn with(reader: R, first_row: u32, statistics: ParquetStatisticsPolicy) -> Result<Self, SealedError> {
        let reader = Shared(Arc::new(reader));
        let options = ParquetMetaDataOptions::new()
            .with_column_stats_policy(statistics)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_encoding_stats_as_mask(true);
        let metadata = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Skip)
            .with_metadata_options(Some(options))
            .parse_and_finish(&reader)?;
        Ok(Self { format: Format::of(&metadata)?, reader, metadata, first_row })
    }

    /// Reads some rows, in rising order, and hands each on as it is decoded.
    pub fn read(&self, rows: &[u32], mut visit: impl FnMut(u32, PredictionRecord)) -> Result<(), SealedError> {
        let mut rest = rows;
        while let Some(first) = rest.first() {
            let (group, start) = self.locate(*first)?;
            let end = start + self.group_rows(group);
            let (here, later) = rest.split_at(rest.partition_point(|row| u64::from(*row) < end));
            self.read_in(group, start, here, &mut visit)?;
            rest = later;
        }
        Ok(())
    }

    /// Reads rows of one row group, which begins with row `start`.
    fn read_in(
        &self,
        group: usize,
        start: u64,
        rows: &[u32],
        visit: &mut impl FnMut(u32, PredictionRecord),
    ) -> Result<(), SealedError> {
        let total = usize::try_from(self.group_rows(group)).unwrap_or(usize::MAX);
        let ranges = consecutive(rows, start);
        let selection = RowSelection::from_consecutive_ranges(ranges.into_iter(), total);
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::try_new(Arc::new(self.with_offset_index(group)?), options)?;
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(self.reader.clone(), metadata)
            .with_row_groups(vec![group])
            .with_row_selection(selection)
            .with_batch_size(rows.len().clamp(1, DECODED_ROWS))
            .build()?;
        let mut expected = rows.iter().copied();
        for batch in batches {
            let batch = batch.map_err(ParquetError::from)?;
            for (at, row) in (0..batch.num_rows()).zip(&mut expected) {
                match self.format.record_at(&batch, at) {
                    Some((stored, record)) if stored == row => visit(row, record),
                    _ => return Err(SealedError::Corrupt { row }),
                }
            }
        }
        match expected.next() {
            Some(row) => Err(SealedError::Corrupt { row }),
            None => Ok(()),
        }
    }

    /// The row group that a row lies in, and the row with which it begins.
    pub(super) fn locate(&self, row: u32) -> Result<(usize, u64), SealedError> {
        let mut start = u64::from(self.first_row);
        for group in 0..self.metadata.num_row_groups() {
            let end = start + self.group_rows(group);
            if (start..end).contains(&u64::from(row)) {
                return Ok((group, start));
            }
            start = end;
        }
        Err(SealedError::NoSuchRow { row, first: self.first_row, end: start })
    }

    pub(super) fn group_rows(&self, group: usize) -> u64 {
        u64::try_from(self.metadata.row_group(group).num_rows()).unwrap_or(0)
    }

    fn with_offset_index(&self, group: usize) -> Result<ParquetMetaData, ParquetError> {
        let mut indexes = ParquetMetaDataReader::new_with_metadata(self.metadata.clone())
            .with_column_index_policy(PageIndexPolicy::Skip)
            .with_offset_index_policy(PageIndexPolicy::Required)
            .with_offset_index_mask(ColumnChunkMask::row_groups([group]));
        indexes.read_page_indexes(&self.reader)?;
        indexes.finish()
    }
}

/// Rows as positions behind `start`, those next to each other together.
fn consecutive(rows: &[u32], start: u64) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for row in rows {
        let at = usize::try_from(u64::from(*row) - start).unwrap_or(usize::MAX);
        match ranges.last_mut() {
            Some(last) if last.end == at => last.end += 1,
            _ => ranges.push(at..at + 1),
        }
    }
    ranges
}
