//! A folder of segments that is appended to: what every log here is, whatever its frames hold.
//!
//! Payloads get their row under a short lock and wait; one writer thread writes all that wait with one write and one
//! sync. Any failure to write ends the segment at its last durable byte, and a new one begins when the disk allows, so
//! nothing is acknowledged that is not there and no row is given twice.

use std::{
    fs::File,
    path::Path,
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
};

use stemma_core::{
    Clock,
    endpoint::{declaration::LogMode, prediction::PredictionAddress},
};
use tokio::sync::oneshot;

use super::{
    error::{AppendError, LogError},
    folder::Folder,
    frame::SegmentId,
    intake::{LogOptions, Planned, Work},
    record::EncodedRecord,
    recovery::{self, RecoveredSegment},
    segment::{Extent, Segment},
    shared::{OnDisk, Shared},
    writer,
};

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

/// An append-only log. Clones are handles to the same log.
///
/// Dropping the last handle writes what waits and ends the open segment.
#[derive(Debug, Clone)]
pub struct SegmentLog {
    shared: Arc<Shared>,
    recovered: Arc<[RecoveredSegment]>,
    _writer: Arc<WriterThread>,
}

/// Stops the writer when the last handle is gone.
#[derive(Debug)]
struct WriterThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl SegmentLog {
    /// Opens the log of a directory: recovers what an earlier process left and begins a new segment.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>, options: LogOptions) -> Result<Self, LogError> {
        let folder = Folder::take(directory)?;
        let (segments, recovered) = recovery::recover(directory)?;
        let newest = recovered.last().map_or(0, |segment| segment.segment);
        let last = newest.max(folder.last_segment()?);
        let shared = Shared::new(folder, clock, options, last);
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

    /// Takes a payload over; from then on it is written whether or not anybody waits for that. With `Durable` the
    /// receiver hears when it is on disk.
    pub async fn take(
        &self,
        mode: LogMode,
        record: EncodedRecord,
    ) -> Result<(PredictionAddress, Option<OnDisk>), AppendError> {
        self.ensure_writable().await?;
        self.shared.enqueue(mode, record)
    }

    /// Takes payloads over in this order and tells the place of each at once; all are on disk when this returns. After an
    /// error some of them may be.
    pub async fn append_all(
        &self,
        records: impl IntoIterator<Item = EncodedRecord>,
        mut placed: impl FnMut(PredictionAddress),
    ) -> Result<(), AppendError> {
        let (mut waiting, mut outcome) = (Vec::new(), Ok(()));
        for record in records {
            match self.take_in_turn(record).await {
                Ok((place, on_disk)) => {
                    placed(place);
                    waiting.extend(on_disk);
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        for on_disk in waiting {
            outcome = outcome.and(on_disk.await.unwrap_or(Err(AppendError::NotWritable)));
        }
        outcome
    }

    /// If more came at once than may wait, what does goes to disk first.
    async fn take_in_turn(&self, record: EncodedRecord) -> Result<(PredictionAddress, Option<OnDisk>), AppendError> {
        match self.take(LogMode::Durable, record.clone()).await {
            Err(AppendError::QueueFull) => {
                self.flush().await?;
                self.take(LogMode::Durable, record).await
            }
            taken => taken,
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

    pub fn segment(&self, id: SegmentId) -> Option<Arc<Segment>> {
        self.shared.segment(id)
    }

    /// All segments that are not removed, oldest first.
    pub fn all_segments(&self) -> Vec<Arc<Segment>> {
        self.shared.all_segments()
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
    pub fn delete(&self, segment: SegmentId) -> Result<(), LogError> {
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

    pub fn ended(&self, segment: SegmentId) -> Result<Arc<Segment>, LogError> {
        let is_open = self.shared.open.load(Ordering::SeqCst) == segment;
        match self.shared.segment(segment) {
            Some(found) if !is_open => Ok(found),
            _ => Err(LogError::NoSuchSegment(segment)),
        }
    }

    pub fn directory(&self) -> &Path {
        self.shared.directory()
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.shared.intake().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of `{}` panicked", self.shared.directory().display());
        }
    }
}
