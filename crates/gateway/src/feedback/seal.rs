//! Sealing: ended segments become Parquet, one file for each endpoint, sorted by prediction. Stored-format version 1.
//!
//! Several segments go into one file, so that a home in which feedback trickles in does not get a file for each of them.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::ColumnPath,
};
use stemma_core::{
    Timestamp,
    endpoint::prediction::PredictionAddress,
    name::{EndpointName, ProjectName},
};

use super::{
    columns::{self, Columns},
    index::{Index, PlacedFeedback},
    log::FeedbackLog,
    read,
};
use crate::{
    log::{LogError, SegmentId, folder::scratch, segment::Segment},
    seal::SealError,
};

/// Rows that are decoded to read one.
const PAGE_ROWS: usize = 1024;
const ROW_GROUP_ROWS: usize = 64 << 10;
const BATCH_ROWS: usize = 1024;

/// A Parquet file with the feedback on one endpoint's predictions, on disk, for the caller to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedFeedback {
    pub project: ProjectName,
    pub endpoint: EndpointName,
    pub ordinal: u16,
    /// The segments that it comes from, each with how much of it does.
    pub segments: Vec<(SegmentId, u64)>,
    pub rows: u64,
    /// The predictions that it is about lie between these.
    pub first: PredictionAddress,
    pub last: PredictionAddress,
    /// When it was told.
    pub first_time: Timestamp,
    pub last_time: Timestamp,
    /// Removed by [`FeedbackLog::remove`].
    pub file: PathBuf,
}

/// Where one feedback lies, sorted as in the file.
type Entry = (PredictionAddress, SegmentId, u32, u64);

impl FeedbackLog {
    /// Writes the feedback of ended segments as Parquet. The same segments always give the same bytes.
    ///
    /// Fails if one of them was found damaged.
    pub fn seal(&self, segments: &[SegmentId]) -> Result<Vec<SealedFeedback>, SealError> {
        let mut ended = BTreeMap::new();
        let mut entries: BTreeMap<u16, Vec<Entry>> = BTreeMap::new();
        for id in segments {
            let segment = self.segments.ended(*id)?;
            if let Some(offset) = segment.damage {
                return Err(SealError::Log(LogError::Corrupt { path: segment.path.clone(), offset }));
            }
            for (prediction, row, offset) in self.index.sorted(&segment)? {
                entries.entry(prediction.endpoint).or_default().push((prediction, *id, row, offset));
            }
            ended.insert(*id, segment);
        }
        let folder = scratch(self.segments.directory());
        std::fs::create_dir_all(&folder).map_err(|source| LogError::io("create", &folder, source))?;
        let mut parts = Vec::new();
        for entries in entries.into_values() {
            parts.extend(write_part(&folder, &self.index, &ended, entries)?);
        }
        File::open(&folder).and_then(|dir| dir.sync_all()).map_err(|source| LogError::io("sync", &folder, source))?;
        Ok(parts)
    }

    /// Deletes ended segments whose sealed parts the caller has made durable, and the parts' files.
    pub fn remove(&self, segments: &[SegmentId], parts: &[SealedFeedback]) -> Result<(), LogError> {
        for part in parts {
            std::fs::remove_file(&part.file).map_err(|source| LogError::io("remove", &part.file, source))?;
        }
        for segment in segments {
            self.segments.delete(*segment)?;
            self.index.forget(*segment);
        }
        Ok(())
    }
}

fn write_part(
    folder: &Path,
    index: &Index,
    segments: &BTreeMap<SegmentId, Arc<Segment>>,
    mut entries: Vec<Entry>,
) -> Result<Option<SealedFeedback>, SealError> {
    entries.sort_unstable();
    let mut open: Option<PartWriter> = None;
    for (prediction, id, row, offset) in entries {
        let segment = segments.get(&id).ok_or(LogError::NoSuchSegment(id))?;
        let (_, stored) = index.read_at(segment, prediction.endpoint, row, offset)?;
        let placed = PlacedFeedback { prediction, segment: id, row, stored };
        match &mut open {
            Some(part) => part.push(&placed)?,
            none => none.insert(PartWriter::create(folder, &placed)?).push(&placed)?,
        }
    }
    open.map(PartWriter::finish).transpose()
}

/// A Parquet file in the making.
struct PartWriter {
    part: SealedFeedback,
    counts: BTreeMap<SegmentId, u64>,
    writer: ArrowWriter<File>,
    columns: Columns,
}

impl PartWriter {
    fn create(folder: &Path, first: &PlacedFeedback) -> Result<Self, SealError> {
        let ordinal = first.prediction.endpoint;
        let time = first.stored.feedback.time;
        let part = SealedFeedback {
            project: first.stored.project.clone(),
            endpoint: first.stored.endpoint.clone(),
            ordinal,
            segments: Vec::new(),
            rows: 0,
            first: first.prediction,
            last: first.prediction,
            first_time: time,
            last_time: time,
            file: folder.join(format!("{:016x}.{ordinal}.feedback.parquet", first.segment)),
        };
        let output = File::create(&part.file).map_err(|source| LogError::io("create", &part.file, source))?;
        let writer = ArrowWriter::try_new(output, columns::schema(), Some(properties(&part)))
            .map_err(|source| part.failed(source))?;
        Ok(Self { part, counts: BTreeMap::new(), writer, columns: Columns::default() })
    }

    fn push(&mut self, placed: &PlacedFeedback) -> Result<(), SealError> {
        let (part, time) = (&mut self.part, placed.stored.feedback.time);
        part.rows += 1;
        part.last = placed.prediction;
        part.first_time = part.first_time.min(time);
        part.last_time = part.last_time.max(time);
        *self.counts.entry(placed.segment).or_default() += 1;
        self.columns.push(placed);
        match self.columns.rows() >= BATCH_ROWS {
            true => self.write_batch(),
            false => Ok(()),
        }
    }

    fn write_batch(&mut self) -> Result<(), SealError> {
        let columns = std::mem::take(&mut self.columns);
        let written = columns.finish().and_then(|batch| self.writer.write(&batch));
        written.map_err(|source| self.part.failed(source))
    }

    fn finish(mut self) -> Result<SealedFeedback, SealError> {
        self.write_batch()?;
        let mut part = self.part;
        part.segments = self.counts.into_iter().collect();
        let file = self.writer.into_inner().map_err(|source| part.failed(source))?;
        file.sync_all().map_err(|source| LogError::io("sync", &part.file, source))?;
        Ok(part)
    }
}

impl SealedFeedback {
    fn failed(&self, source: ParquetError) -> SealError {
        SealError::Parquet { path: self.file.clone(), source }
    }
}

fn properties(part: &SealedFeedback) -> WriterProperties {
    let note = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let notes = vec![
        note(read::FORMAT, read::WRITTEN_FORMAT.to_owned()),
        note(read::PROJECT, part.project.to_string()),
        note(read::ENDPOINT, part.endpoint.to_string()),
        note(read::ORDINAL, part.ordinal.to_string()),
    ];
    let zstd = ZstdLevel::try_new(3).expect("3 is a level of zstd");
    let mut properties = WriterProperties::builder()
        .set_created_by("stemma".to_owned())
        .set_key_value_metadata(Some(notes))
        .set_compression(Compression::ZSTD(zstd))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    for column in columns::DISTINCT {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    for column in columns::RISING {
        properties = properties.set_column_encoding(ColumnPath::from(column), Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}
