//! Reading sealed feedback: all of a file, or only what is about some predictions.

use std::iter::Peekable;

use arrow_array::RecordBatch;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
            RowSelection, RowSelector,
        },
    },
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, PageIndexPolicy, RowGroupMetaData},
        reader::ChunkReader,
        statistics::Statistics,
    },
};
use stemma_core::endpoint::prediction::PredictionAddress;

use super::{
    columns::{self, About, ROW, SEGMENT},
    index::PlacedFeedback,
};
use crate::seal::SealedError;

/// What a file's metadata calls its version of the stored format, and what the file is about.
pub const FORMAT: &str = "stemma.feedback.format";
pub const PROJECT: &str = "stemma.project";
pub const ENDPOINT: &str = "stemma.endpoint";
pub const ORDINAL: &str = "stemma.ordinal";
/// The version that is written.
pub const WRITTEN_FORMAT: &str = "1";

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 8192;

/// Returns what a sealed file holds about predictions of its endpoint, which come sorted and each once.
///
/// The bytes are those that were sealed: whoever fetched them has checked their digest.
pub fn read_feedback<R: ChunkReader + Clone + 'static>(
    reader: &R,
    wanted: &[PredictionAddress],
) -> Result<Vec<PlacedFeedback>, SealedError> {
    let (metadata, about) = load(reader)?;
    let selection = select(reader, &metadata, &about, wanted)?;
    if !selection.selects_any() {
        return Ok(Vec::new());
    }
    let rows = ParquetRecordBatchReaderBuilder::new_with_metadata(reader.clone(), metadata)
        .with_row_selection(selection)
        .with_batch_size(BATCH_ROWS)
        .build()?;
    let mut found = Vec::new();
    for batch in (FeedbackRows { rows, about, read: 0 }) {
        found.extend(batch?);
    }
    Ok(found)
}

/// All rows of a sealed file, in batches, sorted by prediction and then by when they were told.
pub struct FeedbackRows {
    rows: ParquetRecordBatchReader,
    about: About,
    read: usize,
}

impl FeedbackRows {
    pub fn open<R: ChunkReader + Clone + 'static>(reader: &R) -> Result<Self, SealedError> {
        let (metadata, about) = load(reader)?;
        let rows = ParquetRecordBatchReaderBuilder::new_with_metadata(reader.clone(), metadata)
            .with_batch_size(BATCH_ROWS)
            .build()?;
        Ok(Self { rows, about, read: 0 })
    }

    fn decode(&mut self, batch: &RecordBatch) -> Result<Vec<PlacedFeedback>, SealedError> {
        let decoded = (0..batch.num_rows()).map(|at| {
            let damaged = || SealedError::Corrupt { row: u32::try_from(self.read + at).unwrap_or(u32::MAX) };
            columns::feedback_at(batch, at, &self.about).ok_or_else(damaged)
        });
        let decoded = decoded.collect::<Result<Vec<_>, _>>();
        self.read += batch.num_rows();
        decoded
    }
}

impl Iterator for FeedbackRows {
    type Item = Result<Vec<PlacedFeedback>, SealedError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.rows.next()?.map_err(|error| SealedError::from(ParquetError::from(error)));
        Some(batch.and_then(|batch| self.decode(&batch)))
    }
}

fn load<R: ChunkReader>(reader: &R) -> Result<(ArrowReaderMetadata, About), SealedError> {
    let options =
        ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_page_index_policy(PageIndexPolicy::Optional);
    let metadata = ArrowReaderMetadata::load(reader, options)?;
    let notes = metadata.metadata().file_metadata().key_value_metadata();
    let note = |key: &str| notes.into_iter().flatten().find(|note| note.key == key).and_then(|note| note.value.clone());
    match note(FORMAT).as_deref() {
        Some(WRITTEN_FORMAT) => {}
        Some(newer) => return Err(SealedError::Newer(newer.to_owned())),
        None => return Err(SealedError::NoVersion),
    }
    let about = || {
        Some(About {
            project: note(PROJECT)?.parse().ok()?,
            endpoint: note(ENDPOINT)?.parse().ok()?,
            ordinal: note(ORDINAL)?.parse().ok()?,
        })
    };
    let about = about().ok_or(SealedError::Corrupt { row: 0 })?;
    Ok((metadata, about))
}

/// Finds the rows about the predictions by the two columns that the file is sorted by.
fn select<R: ChunkReader + Clone + 'static>(
    reader: &R,
    metadata: &ArrowReaderMetadata,
    about: &About,
    wanted: &[PredictionAddress],
) -> Result<RowSelection, SealedError> {
    let (mut selectors, mut wanted, mut row) = (Vec::<RowSelector>::new(), wanted.iter().peekable(), 0u32);
    for (at, group) in metadata.metadata().row_groups().iter().enumerate() {
        if is_ruled_out(group, &mut wanted) {
            let rows = usize::try_from(group.num_rows()).map_err(|_| SealedError::Corrupt { row })?;
            selectors.push(RowSelector::skip(rows));
            row = row.saturating_add(u32::try_from(rows).unwrap_or(u32::MAX));
            continue;
        }
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(reader.clone(), metadata.clone())
            .with_row_groups(vec![at])
            .with_projection(ProjectionMask::columns(metadata.parquet_schema(), [SEGMENT, ROW]))
            .with_batch_size(BATCH_ROWS)
            .build()?;
        for batch in batches {
            let batch = batch.map_err(ParquetError::from)?;
            for at in 0..batch.num_rows() {
                let prediction =
                    columns::prediction_at(&batch, at, about.ordinal).ok_or(SealedError::Corrupt { row })?;
                while wanted.next_if(|next| **next < prediction).is_some() {}
                let skip = wanted.peek().is_none_or(|next| **next != prediction);
                match selectors.last_mut().filter(|last| last.skip == skip) {
                    Some(last) => last.row_count += 1,
                    None => selectors.push(if skip { RowSelector::skip(1) } else { RowSelector::select(1) }),
                }
                row += 1;
            }
        }
    }
    Ok(selectors.into())
}

/// Whether statistics say that a row group holds nothing of what is wanted. What lies before it is passed by: groups follow
/// each other as the predictions do.
fn is_ruled_out<'a>(
    group: &RowGroupMetaData,
    wanted: &mut Peekable<impl Iterator<Item = &'a PredictionAddress>>,
) -> bool {
    let column = group.columns().iter().find(|column| column.column_path().string() == SEGMENT);
    // the column is of unsigned numbers, which are kept in the bits of signed ones
    let Some(Statistics::Int64(segments)) = column.and_then(ColumnChunkMetaData::statistics) else { return false };
    let (Some(first), Some(last)) = (segments.min_opt(), segments.max_opt()) else { return false };
    let (first, last) = (first.cast_unsigned(), last.cast_unsigned());
    while wanted.next_if(|next| next.segment < first).is_some() {}
    wanted.peek().is_none_or(|next| next.segment > last)
}
