//! The prediction log: an append-only segment per gateway, from which every answered request can be read again.
//!
//! Requests get their row under a short lock and wait; one writer thread writes all that wait with one write and one
//! sync. Any failure to write ends the segment at its last durable byte, and a new one begins when the disk allows, so
//! nothing is acknowledged that is not there and no row is given twice.

mod error;
pub(crate) mod folder;
mod frame;
mod held;
mod intake;
mod record;
mod recovery;
pub(crate) mod segment;
mod shared;
mod writer;

use std::{
    fs::File,
    path::Path,
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
};

use stemma_core::{
    Clock,
    endpoint::{
        declaration::LogMode,
        prediction::{PredictionAddress, PredictionId, PredictionKey, PredictionRecord},
    },
};
use tokio::sync::oneshot;

pub use error::{AppendError, LogError};
pub use frame::SegmentId;
pub use held::HeldSegment;
pub use intake::LogOptions;
pub(crate) use record::Stored;
use record::counted_arm;
pub use record::{ArmCounts, EncodedRecord, NewRecord};
pub use recovery::{RecoveredSegment, SegmentSeen, look_at_segments};
pub use segment::Extent;

use folder::Folder;
use intake::{Planned, Work};
use segment::Segment;
use shared::{OnDisk, Shared};

/// Counters of a log since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogStats {
    /// Records on disk.
    pub written: u64,
    /// Writes, each with one sync; `written / batches` is how well grouping works.
    pub batches: u64,
    /// Records of fast endpoints that were answered and could not be written.
    pub lost: u64,
    /// Bytes of ended segments that wait to be sealed.
    pub unsealed_bytes: u64,
}

/// The append-only log of one gateway. Clones are handles to the same log.
///
/// Dropping the last handle writes what waits and ends the open segment.
#[derive(Debug, Clone)]
pub struct PredictionLog {
    shared: Arc<Shared>,
    recovered: Arc<[RecoveredSegment]>,
    _writer: Arc<WriterThread>,
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

/// Stops the writer when the last handle is gone.
#[derive(Debug)]
struct WriterThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl PredictionLog {
    /// Opens the log of a directory: recovers what an earlier process left and begins a new segment.
    pub fn open(
        directory: &Path,
        key: PredictionKey,
        clock: Arc<dyn Clock>,
        options: LogOptions,
    ) -> Result<Self, LogError> {
        let folder = Folder::take(directory)?;
        let (segments, recovered) = recovery::recover(directory)?;
        let newest = recovered.last().map_or(0, |segment| segment.segment);
        let last = newest.max(folder.last_segment()?);
        let shared = Shared::new(folder, key, clock, options, last);
        shared.adopt(segments)?;
        let id = shared.next_segment(&mut shared.intake());
        let first = shared.create(id).map_err(|source| LogError::io("create a segment in", directory, source))?;
        shared.intake().open = Some(Planned::new(id));
        let shared = Arc::new(shared);
        let thread = writer::start(Arc::clone(&shared), first)
            .map_err(|source| LogError::io("start the writer of", directory, source))?;
        let writer = WriterThread { shared: Arc::clone(&shared), thread: Some(thread) };
        Ok(Self { shared, recovered: recovered.into(), _writer: Arc::new(writer) })
    }

    /// What opening found of earlier processes, oldest first.
    pub fn recovered(&self) -> &[RecoveredSegment] {
        &self.recovered
    }

    /// Takes a record over; from then on it is written whether or not anybody waits for that.
    pub(crate) async fn take(&self, mode: LogMode, record: EncodedRecord) -> Result<Kept, AppendError> {
        self.ensure_writable().await?;
        let (address, on_disk) = self.shared.enqueue(mode, record)?;
        Ok(Kept { id: PredictionId::seal(address, &self.shared.key), on_disk })
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

    /// Tries to begin a new segment if writing to the last one failed.
    pub async fn ensure_writable(&self) -> Result<(), AppendError> {
        let Some(reopened) = self.shared.ask_to_reopen() else {
            return Ok(());
        };
        reopened.await.unwrap_or(Err(AppendError::NotWritable))
    }

    /// Returns when everything that was appended before is on disk.
    pub async fn flush(&self) -> Result<(), AppendError> {
        let (waiter, done) = oneshot::channel();
        self.shared.intake().queue.push(Work::Sync { waiter });
        self.shared.wake.notify_one();
        done.await.unwrap_or(Err(AppendError::NotWritable))
    }

    /// Ends the open segment and begins a new one; returns the ended one, or nothing if it held no record.
    pub async fn rotate(&self) -> Result<Option<SegmentId>, AppendError> {
        self.ensure_writable().await?;
        let Some((ended, done)) = self.shared.plan_rotation() else {
            return Ok(None);
        };
        done.await.unwrap_or(Err(AppendError::NotWritable))?;
        Ok(Some(ended))
    }

    /// Returns the record with this id, if this home made the id and the record is not sealed away.
    pub fn lookup(&self, id: &PredictionId) -> Result<Option<PredictionRecord>, LogError> {
        match id.open(&self.shared.key) {
            Some(address) => self.get(address),
            None => Ok(None),
        }
    }

    /// Returns the record at an address in the open or an unsealed segment, read from disk and checked.
    pub fn get(&self, address: PredictionAddress) -> Result<Option<PredictionRecord>, LogError> {
        match self.shared.segment(address.segment) {
            Some(segment) => Ok(Stored::find(&segment, address)?.map(|stored| stored.record)),
            None => Ok(None),
        }
    }

    /// Returns the newest records of an endpoint that are on disk and not sealed away, newest first.
    pub fn recent(&self, ordinal: u16, limit: usize) -> Result<Vec<(PredictionId, PredictionRecord)>, LogError> {
        let mut found = Vec::new();
        for segment in self.shared.all_segments().iter().rev() {
            let newest: Vec<u32> = segment.index(|index| {
                let rows = index.rows.get(&ordinal).map_or(&[][..], Vec::as_slice);
                let wanted = limit - found.len();
                rows.iter().rev().take(wanted).map(|(row, _)| *row).collect()
            });
            for row in newest {
                let address = segment.address(ordinal, row);
                if let Some(stored) = Stored::find(segment, address)? {
                    found.push((PredictionId::seal(address, &self.shared.key), stored.record));
                }
            }
        }
        Ok(found)
    }

    /// The segments that are not sealed away, newest first, as they are now.
    pub fn held(&self) -> Vec<HeldSegment> {
        self.shared.all_segments().into_iter().rev().map(HeldSegment::new).collect()
    }

    /// Counts what an endpoint's arms answered, or failed to, by revision, as far as it is on disk and not sealed away; and
    /// says which segments that is of.
    pub fn counts(&self, ordinal: u16) -> Result<(Vec<SegmentId>, ArmCounts), LogError> {
        let (mut segments, mut counts) = (Vec::new(), ArmCounts::new());
        for segment in self.shared.all_segments() {
            let rows: Vec<u32> =
                segment.index(|index| index.rows.get(&ordinal).into_iter().flatten().map(|(row, _)| *row).collect());
            for row in rows {
                let stored = Stored::find(&segment, segment.address(ordinal, row))?;
                if let Some(arm) = stored.and_then(|stored| counted_arm(stored.record)) {
                    *counts.entry(arm).or_default() += 1;
                }
            }
            segments.push(segment.id);
        }
        Ok((segments, counts))
    }

    /// Returns the ended segments that are not removed yet, oldest first: they wait to be sealed.
    pub fn unsealed(&self) -> Vec<SegmentId> {
        let open = self.shared.open.load(Ordering::SeqCst);
        let segments = self.shared.all_segments();
        let ended = segments.iter().map(|segment| segment.id);
        ended.filter(|id| *id != open).collect()
    }

    /// What is on disk of each segment that holds records and is not removed, but for damaged ones.
    pub fn extents(&self) -> Vec<Extent> {
        let extents = self.shared.all_segments().into_iter().filter_map(|segment| segment.index(|index| index.extent));
        extents.filter(|extent| extent.records > 0).collect()
    }

    /// Deletes an ended segment.
    pub(crate) fn delete(&self, segment: SegmentId) -> Result<(), LogError> {
        let found = self.ended(segment)?;
        let bytes = std::fs::metadata(&found.path).map_or(0, |metadata| metadata.len());
        let directory = self.shared.directory();
        std::fs::remove_file(&found.path)
            .and_then(|()| File::open(directory)?.sync_all())
            .map_err(|source| LogError::io("remove", &found.path, source))?;
        self.shared.segments_mut().remove(&segment);
        self.shared.unsealed_bytes.fetch_sub(bytes, Ordering::SeqCst);
        Ok(())
    }

    pub fn stats(&self) -> LogStats {
        let shared = &self.shared;
        LogStats {
            written: shared.written.load(Ordering::Relaxed),
            batches: shared.batches.load(Ordering::Relaxed),
            lost: shared.lost.load(Ordering::Relaxed),
            unsealed_bytes: shared.unsealed_bytes.load(Ordering::Relaxed),
        }
    }

    /// False after a failed write, until an append succeeds again.
    pub fn is_writable(&self) -> bool {
        self.shared.intake().open.is_some()
    }

    pub(crate) fn ended(&self, segment: SegmentId) -> Result<Arc<Segment>, LogError> {
        let is_open = self.shared.open.load(Ordering::SeqCst) == segment;
        match self.shared.segment(segment) {
            Some(found) if !is_open => Ok(found),
            _ => Err(LogError::NoSuchSegment(segment)),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.shared.directory()
    }

    pub(crate) fn key(&self) -> &PredictionKey {
        &self.shared.key
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.shared.intake().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the prediction log panicked");
        }
    }
}
