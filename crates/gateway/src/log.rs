//! The prediction log: an append-only segment per gateway, from which every answered request can be read again.

mod error;
pub(crate) mod folder;
mod frame;
mod held;
mod intake;
mod named;
mod record;
mod recovery;
mod seen;
pub(crate) mod segment;
pub(crate) mod segments;
mod shared;
mod writer;

use std::{path::Path, sync::Arc};

use stemma_core::{
    Clock,
    endpoint::{
        declaration::LogMode,
        prediction::{PredictionAddress, PredictionId, PredictionKey, PredictionRecord},
    },
};

pub use error::{AppendError, LogError};
pub use frame::SegmentId;
pub use held::HeldSegment;
pub use intake::LogOptions;
pub(crate) use record::Stored;
use record::counted_arm;
pub use record::{ArmCounts, EncodedRecord, NewRecord};
pub use recovery::{RecoveredSegment, SegmentSeen, look_at_segments};
pub use seen::{Seen, Unread};
pub use segment::Extent;
pub use segments::LogStats;

use segment::Segment;
use segments::SegmentLog;
use shared::OnDisk;

/// The append-only log of one gateway. Clones are handles to the same log.
///
/// Dropping the last handle writes what waits and ends the open segment.
#[derive(Debug, Clone)]
pub struct PredictionLog {
    segments: SegmentLog,
    key: PredictionKey,
}

/// A record that the log has taken over.
#[derive(Debug)]
pub struct Kept {
    id: PredictionId,
    on_disk: Option<OnDisk>,
}

impl Kept {
    /// The record's id, when it is on disk; at once where nobody waits for that.
    pub async fn on_disk(self) -> Result<PredictionId, AppendError> {
        if let Some(on_disk) = self.on_disk {
            on_disk.await.unwrap_or(Err(AppendError::NotWritable))?;
        }
        Ok(self.id)
    }
}

impl PredictionLog {
    /// Opens the log of a directory: recovers what an earlier process left and begins a new segment.
    pub fn open(
        directory: &Path,
        key: PredictionKey,
        clock: Arc<dyn Clock>,
        options: LogOptions,
    ) -> Result<Self, LogError> {
        Ok(Self { segments: SegmentLog::open(directory, clock, options)?, key })
    }

    /// What opening found of earlier processes, oldest first.
    pub fn recovered(&self) -> &[RecoveredSegment] {
        self.segments.recovered()
    }

    /// Takes a record over; from then on it is written whether or not anybody waits for that.
    pub(crate) async fn take(&self, mode: LogMode, record: EncodedRecord) -> Result<Kept, AppendError> {
        let (address, on_disk) = self.segments.take(mode, record).await?;
        Ok(Kept { id: PredictionId::seal(address, &self.key), on_disk })
    }

    /// Keeps a record and returns its id; with `Durable` the record is on disk when this returns.
    ///
    /// `Fast` returns as soon as the record waits for the disk; `Off` keeps nothing and gives no id.
    pub async fn append(&self, mode: LogMode, record: EncodedRecord) -> Result<Option<PredictionId>, AppendError> {
        match mode {
            LogMode::Off => Ok(None),
            LogMode::Durable | LogMode::Fast => self.take(mode, record).await?.on_disk().await.map(Some),
        }
    }

    /// Keeps records in this order and returns their ids; all are on disk when this returns. After an error some may be.
    pub async fn append_all(&self, records: Vec<EncodedRecord>) -> Result<Vec<PredictionId>, AppendError> {
        let mut ids = Vec::with_capacity(records.len());
        let placed = |address| ids.push(PredictionId::seal(address, &self.key));
        self.segments.append_all(records, placed).await?;
        Ok(ids)
    }

    /// Tries to begin a new segment if writing to the last one failed.
    pub async fn ensure_writable(&self) -> Result<(), AppendError> {
        self.segments.ensure_writable().await
    }

    /// Returns when everything that was appended before is on disk.
    pub async fn flush(&self) -> Result<(), AppendError> {
        self.segments.flush().await
    }

    /// Ends the open segment and begins a new one; returns the ended one, or nothing if it held no record.
    pub async fn rotate(&self) -> Result<Option<SegmentId>, AppendError> {
        self.segments.rotate().await
    }

    /// Returns the record with this id, if this home made the id and the record is not sealed away.
    pub fn lookup(&self, id: &PredictionId) -> Result<Option<PredictionRecord>, LogError> {
        match id.open(&self.key) {
            Some(address) => self.get(address),
            None => Ok(None),
        }
    }

    /// Returns the record at an address in the open or an unsealed segment, read from disk and checked.
    pub fn get(&self, address: PredictionAddress) -> Result<Option<PredictionRecord>, LogError> {
        match self.segments.segment(address.segment) {
            Some(segment) => Ok(Stored::find(&segment, address)?.map(|stored| stored.record)),
            None => Ok(None),
        }
    }

    /// Returns the newest records of an endpoint that are on disk and not sealed away, newest first.
    pub fn recent(&self, ordinal: u16, limit: usize) -> Result<Vec<(PredictionId, PredictionRecord)>, LogError> {
        let mut found = Vec::new();
        for segment in self.segments.all_segments().iter().rev() {
            let newest: Vec<u32> = segment.index(|index| {
                let rows = index.rows.get(&ordinal).map_or(&[][..], Vec::as_slice);
                let wanted = limit - found.len();
                rows.iter().rev().take(wanted).map(|(row, _)| *row).collect()
            });
            for row in newest {
                let address = segment.address(ordinal, row);
                if let Some(stored) = Stored::find(segment, address)? {
                    found.push((PredictionId::seal(address, &self.key), stored.record));
                }
            }
        }
        Ok(found)
    }

    /// The segments that are not sealed away, newest first, as they are now.
    pub fn held(&self) -> Vec<HeldSegment> {
        self.segments.all_segments().into_iter().rev().map(HeldSegment::new).collect()
    }

    /// Shows every record of an endpoint that is on disk and not sealed away, oldest first, if its stored text may be what
    /// is looked for. Says which segments that is of, and what can't be read.
    pub fn each(
        &self,
        ordinal: u16,
        may_be: impl Fn(&[u8]) -> bool,
        mut visit: impl FnMut(PredictionAddress, PredictionRecord),
    ) -> Seen {
        let mut seen = Seen::default();
        for segment in self.held().into_iter().rev() {
            seen.unread.extend(segment.each(ordinal, &may_be, &mut visit));
            seen.segments.push(segment.id());
        }
        seen
    }

    /// Shows the records of an endpoint that are on disk and not sealed away, oldest first, of which one of these names may be
    /// the request or the unit. Says which segments that is of, and what can't be read.
    pub fn named<'a>(
        &self,
        ordinal: u16,
        names: impl Iterator<Item = &'a str> + Clone,
        mut visit: impl FnMut(PredictionAddress, PredictionRecord),
    ) -> Seen {
        let mut seen = Seen::default();
        for segment in self.held().into_iter().rev() {
            seen.unread.extend(segment.named(ordinal, names.clone(), &mut visit));
            seen.segments.push(segment.id());
        }
        seen
    }

    /// Counts what an endpoint's arms answered, or failed to, by revision, as far as it is on disk and not sealed away; and
    /// says which segments that is of.
    pub fn counts(&self, ordinal: u16) -> (Seen, ArmCounts) {
        let mut counts = ArmCounts::new();
        let seen = self.each(
            ordinal,
            |_| true,
            |_, record| {
                if let Some(arm) = counted_arm(record) {
                    *counts.entry(arm).or_default() += 1;
                }
            },
        );
        (seen, counts)
    }

    /// All segments that are not removed.
    pub fn segments(&self) -> Vec<SegmentId> {
        self.segments.all_segments().iter().map(|segment| segment.id).collect()
    }

    /// Returns the ended segments that are not removed yet, oldest first: they wait to be sealed.
    pub fn unsealed(&self) -> Vec<SegmentId> {
        self.segments.unsealed()
    }

    /// What is on disk of each segment that holds records and is not removed, but for damaged ones.
    pub fn extents(&self) -> Vec<Extent> {
        self.segments.extents()
    }

    /// Deletes an ended segment.
    pub(crate) fn delete(&self, segment: SegmentId) -> Result<(), LogError> {
        self.segments.delete(segment)
    }

    pub fn stats(&self) -> LogStats {
        self.segments.stats()
    }

    /// False after a failed write, until an append succeeds again.
    pub fn is_writable(&self) -> bool {
        self.segments.is_writable()
    }

    pub(crate) fn ended(&self, segment: SegmentId) -> Result<Arc<Segment>, LogError> {
        self.segments.ended(segment)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.segments.directory()
    }

    pub(crate) fn key(&self) -> &PredictionKey {
        &self.key
    }
}
