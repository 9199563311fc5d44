//! Sealing: an ended segment becomes Parquet, one file for each endpoint and UTC day, which the caller keeps for ever.
//!
//! Rows keep their order, so the row at position *p* of a file is row `first_row + p` of the segment and endpoint. Pages are
//! small and indexed, so that one row is read by decoding one page of each column. Statistics and Bloom filters of each row
//! group say what it can't hold, so that what is looked for is found without reading the others; files from before there
//! were filters are read without. Stored-format version 2; files of version 1 are read.

pub(crate) mod cells;
mod columns;
mod count;
mod format;
mod marks;
mod nodes;
mod part;
mod read;
mod sift;
mod v1;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
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
    endpoint::prediction::{PredictionId, PredictionKey, PredictionRecord},
    name::{EndpointName, ProjectName},
};

use crate::log::{
    LogError, PredictionLog, SegmentId, Stored,
    folder::scratch,
    segment::{Segment, file_name},
};
use columns::Columns;
pub use count::{count_reported, count_sealed};
pub use format::SealedError;
pub use marks::{Answerer, Mark, read_answerers, read_marks};
pub use part::OpenPart;
pub use read::{read_sealed, read_sealed_rows};

/// Rows that are decoded to read one.
const PAGE_ROWS: usize = 256;
const ROW_GROUP_ROWS: usize = 64 << 10;
const ROW_GROUP_BYTES: usize = 64 << 20;
/// How often a Bloom filter lets something pass that is not there: 10 bits a row, at most twice that.
const FALSE_POSITIVES: f64 = 0.01;
/// Records are handed to the encoder in batches of at most so many rows or bytes.
const BATCH_ROWS: usize = 1024;
const BATCH_BYTES: usize = 16 << 20;

/// A Parquet file with the rows of one endpoint and day of a segment, on disk, for the caller to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedPart {
    pub segment: SegmentId,
    pub project: ProjectName,
    pub endpoint: EndpointName,
    pub ordinal: u16,
    /// Days since the epoch in UTC, of the first record. One that comes after one of the next day stays in that one's file;
    /// what was reported stays where it is recorded, of whichever day it is.
    pub day: i32,
    /// Rows `first_row ..= last_row`, without gaps.
    pub first_row: u32,
    pub last_row: u32,
    pub rows: u64,
    pub first_time: Timestamp,
    pub last_time: Timestamp,
    /// Removed by [`PredictionLog::remove`].
    pub file: PathBuf,
}

/// Why a segment could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("cannot write `{}`: {source}", path.display())]
    Parquet { path: PathBuf, source: ParquetError },
}

impl PredictionLog {
    /// Writes an ended segment's records as Parquet. The same segment always gives the same bytes.
    ///
    /// Fails if the segment was found damaged; [`PredictionLog::seal_remains`] seals what is left of it.
    pub fn seal(&self, segment: SegmentId) -> Result<Vec<SealedPart>, SealError> {
        let segment = self.ended(segment)?;
        match segment.damage {
            Some(offset) => Err(SealError::Log(LogError::Corrupt { path: segment.path.clone(), offset })),
            None => write_parts(&segment, self.key(), &scratch(self.directory())),
        }
    }

    /// Seals the whole records of a damaged segment; a part ends wherever rows are missing.
    pub fn seal_remains(&self, segment: SegmentId) -> Result<Vec<SealedPart>, SealError> {
        write_parts(&*self.ended(segment)?, self.key(), &scratch(self.directory()))
    }

    /// Deletes an ended segment whose sealed parts the caller has made durable, and the parts' files.
    pub fn remove(&self, segment: SegmentId) -> Result<(), LogError> {
        self.ended(segment)?;
        remove_parts(&scratch(self.directory()), segment)?;
        self.delete(segment)
    }
}

/// Writes the parts of a segment into a folder, by endpoint and in the order of their rows.
fn write_parts(segment: &Segment, key: &PredictionKey, folder: &Path) -> Result<Vec<SealedPart>, SealError> {
    std::fs::create_dir_all(folder).map_err(|source| LogError::io("create", folder, source))?;
    let mut endpoints: Vec<_> = segment.index(|index| index.rows.clone()).into_iter().collect();
    endpoints.sort_unstable_by_key(|(ordinal, _)| *ordinal);
    let mut parts = Vec::new();
    for (ordinal, rows) in endpoints {
        let mut open: Option<PartWriter> = None;
        for (row, offset) in rows {
            let stored = Stored::read_at(segment, ordinal, row, offset)?;
            if let Some(part) = open.take_if(|part| !part.continues_with(row, &stored)) {
                parts.push(part.finish()?);
            }
            let part = match &mut open {
                Some(part) => part,
                none => none.insert(PartWriter::create(folder, segment.id, ordinal, row, &stored)?),
            };
            let id = PredictionId::seal(segment.address(ordinal, row), key);
            part.push(id, row, stored.record)?;
        }
        if let Some(part) = open {
            parts.push(part.finish()?);
        }
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| LogError::io("sync", folder, source))?;
    Ok(parts)
}

/// Removes the files of a segment's parts.
fn remove_parts(folder: &Path, segment: SegmentId) -> Result<(), LogError> {
    let failed = |source| LogError::io("clear", folder, source);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let prefix = part_prefix(segment);
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix));
        if ours {
            std::fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

fn part_prefix(segment: SegmentId) -> String {
    let name = file_name(segment);
    name.trim_end_matches("seg").to_owned()
}

/// A Parquet file in the making.
struct PartWriter {
    part: SealedPart,
    writer: ArrowWriter<File>,
    columns: Columns,
}

impl PartWriter {
    fn create(
        directory: &Path,
        segment: SegmentId,
        ordinal: u16,
        first_row: u32,
        first: &Stored,
    ) -> Result<Self, SealError> {
        let day = first.record.time.utc_day();
        let name = format!("{}{ordinal}.{day}.{first_row}.parquet", part_prefix(segment));
        let file = directory.join(name);
        let part = SealedPart {
            segment,
            project: first.project.clone(),
            endpoint: first.record.endpoint.clone(),
            ordinal,
            day,
            first_row,
            last_row: first_row,
            rows: 0,
            first_time: first.record.time,
            last_time: first.record.time,
            file,
        };
        let output = File::create(&part.file).map_err(|source| LogError::io("create", &part.file, source))?;
        let writer = ArrowWriter::try_new(output, columns::schema(), Some(properties(&part)))
            .map_err(|source| part.failed(source))?;
        Ok(Self { part, writer, columns: Columns::default() })
    }

    /// A part has no gaps and, but for what was reported, one day; clocks and threads may bring a record of the day before a little late.
    fn continues_with(&self, row: u32, next: &Stored) -> bool {
        let follows = u64::from(row) == u64::from(self.part.first_row) + self.part.rows;
        // what was reported may be of any day: reports of a year would be a file for each of its days
        let same_day = next.record.reported.is_some() || next.record.time.utc_day() <= self.part.day;
        follows && same_day && next.project == self.part.project
    }

    fn push(&mut self, id: PredictionId, row: u32, record: PredictionRecord) -> Result<(), SealError> {
        let part = &mut self.part;
        part.last_row = row;
        part.rows += 1;
        part.first_time = part.first_time.min(record.time);
        part.last_time = part.last_time.max(record.time);
        self.columns.push(id, row, &record).map_err(|source| part.failed(source))?;
        if self.columns.rows() >= BATCH_ROWS || self.columns.bytes() >= BATCH_BYTES {
            self.write_batch()?;
        }
        Ok(())
    }

    fn write_batch(&mut self) -> Result<(), SealError> {
        let columns = std::mem::take(&mut self.columns);
        let written = columns.finish().and_then(|batch| self.writer.write(&batch));
        written.map_err(|source| self.part.failed(source))
    }

    fn finish(mut self) -> Result<SealedPart, SealError> {
        self.write_batch()?;
        let part = self.part;
        let file = self.writer.into_inner().map_err(|source| part.failed(source))?;
        file.sync_all().map_err(|source| LogError::io("sync", &part.file, source))?;
        Ok(part)
    }
}

impl SealedPart {
    fn failed(&self, source: ParquetError) -> SealError {
        SealError::Parquet { path: self.file.clone(), source }
    }
}

fn properties(part: &SealedPart) -> WriterProperties {
    let note = |key: &str, value: String| KeyValue::new(format!("stemma.{key}"), value);
    let notes = vec![
        KeyValue::new(format::FORMAT.to_owned(), format::WRITTEN_FORMAT.to_owned()),
        note("segment", format!("{:016x}", part.segment)),
        note("project", part.project.to_string()),
        note("endpoint", part.endpoint.to_string()),
        note("ordinal", part.ordinal.to_string()),
        note("day", part.day.to_string()),
        note("first_row", part.first_row.to_string()),
    ];
    let zstd = ZstdLevel::try_new(3).expect("3 is a level of zstd");
    let mut properties = WriterProperties::builder()
        .set_created_by("stemma".to_owned())
        .set_key_value_metadata(Some(notes))
        .set_compression(Compression::ZSTD(zstd))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES));
    for path in columns::DISTINCT.into_iter().map(ColumnPath::from).chain(nodes::distinct()) {
        properties = properties.set_column_dictionary_enabled(path, false);
    }
    for path in columns::FILTERED.map(ColumnPath::from) {
        properties = properties.set_column_bloom_filter_fpp(path, FALSE_POSITIVES);
    }
    for column in columns::RISING {
        let path = ColumnPath::from(column);
        properties = properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use stemma_core::{Digest, endpoint::prediction::Reported};

    use super::*;
    use crate::log::{NewRecord, segment::SegmentWriter};

    const SEGMENT: SegmentId = 0x0199_0000_0000_0001;
    const HOUR_US: i64 = 3_600_000_000;

    /// A row of a segment as it may be left by damage: some are missing.
    #[derive(Debug, Clone)]
    struct Row {
        row: u32,
        project: ProjectName,
        record: PredictionRecord,
    }

    fn reported(hours: i64, number: u32) -> PredictionRecord {
        let reported = Reported { id: number.to_string(), source: None, time: Timestamp(0) };
        PredictionRecord { reported: Some(reported), ..record(hours, number) }
    }

    #[test]
    fn what_was_reported_is_not_cut_by_days() {
        let folder = tempfile::tempdir().unwrap();
        let rows = |record: fn(i64, u32) -> PredictionRecord| -> Vec<Row> {
            let row =
                |row: u32| Row { row, project: "credit".parse().unwrap(), record: record(i64::from(row) * 24, row) };
            (0..30).map(row).collect()
        };
        let segment = written(folder.path(), &[rows(reported), rows(record)]);
        let parts = write_parts(&segment, &PredictionKey::from_bytes([7; 32]), &folder.path().join("parts")).unwrap();
        assert_eq!(parts.iter().filter(|part| part.ordinal == 3).count(), 1);
        assert_eq!(parts.iter().filter(|part| part.ordinal == 4).count(), 30);
        let last = rows(reported).pop().unwrap().record;
        assert_eq!((parts[0].rows, parts[0].last_time), (30, last.time));
        assert_eq!(read_sealed(File::open(&parts[0].file).unwrap(), 0, 29).unwrap(), last);
    }

    fn record(hours: i64, number: u32) -> PredictionRecord {
        let record = json!({
            "v": 2, "time": Timestamp(1_772_366_400_000_000 + hours * HOUR_US), "endpoint": "credit-offer",
            "revision": number, "revision_digest": Digest::of(b"revision"), "caller": "shop",
            "outcome": { "status": "answered" }, "inputs": [], "outputs": [], "nodes": [], "latency_us": number,
        });
        serde_json::from_value(record).unwrap()
    }

    fn any_rows() -> impl Strategy<Value = Vec<Row>> {
        let one = (prop::bool::weighted(0.2), prop::bool::weighted(0.1), -40i64..40);
        prop::collection::vec(one, 1..40).prop_map(|rows| {
            let mut next = 0;
            let row = |(missing, other, hours)| {
                next += 1 + u32::from(missing);
                let project = if other { "fraud" } else { "credit" };
                Row { row: next, project: project.parse().unwrap(), record: record(hours, next) }
            };
            rows.into_iter().map(row).collect()
        })
    }

    fn written(folder: &Path, endpoints: &[Vec<Row>]) -> Segment {
        let mut writer = SegmentWriter::create(folder, SEGMENT).unwrap();
        let segment = writer.reader().unwrap();
        let mut frames = Vec::new();
        for (ordinal, rows) in (3u16..).zip(endpoints) {
            for Row { row, project, record } in rows {
                let payload = NewRecord { project, ordinal, record }.encode().unwrap().payload;
                frames.push(writer.push(ordinal, *row, &payload));
            }
        }
        writer.commit().unwrap();
        segment.publish(frames);
        segment
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn parts_hold_every_row_once_without_gaps_and_each_for_one_project_and_day(
            endpoints in prop::collection::vec(any_rows(), 1..4),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let segment = written(folder.path(), &endpoints);
            let parts = write_parts(&segment, &PredictionKey::from_bytes([7; 32]), &folder.path().join("parts")).unwrap();
            let mut parts = parts.into_iter().peekable();
            for (ordinal, rows) in (3u16..).zip(&endpoints) {
                let mut rows = rows.iter();
                while let Some(part) = parts.next_if(|part| part.ordinal == ordinal) {
                    prop_assert_eq!(part.rows, u64::from(part.last_row - part.first_row) + 1);
                    for at in part.first_row..=part.last_row {
                        let Row { row, project, record } = rows.next().unwrap();
                        prop_assert_eq!((*row, project), (at, &part.project));
                        prop_assert!(record.time.utc_day() <= part.day);
                        prop_assert_eq!(&read_sealed(File::open(&part.file).unwrap(), part.first_row, at).unwrap(), record);
                    }
                }
                prop_assert!(rows.next().is_none(), "a row is in no part");
            }
            prop_assert!(parts.next().is_none());
        }
    }
}
