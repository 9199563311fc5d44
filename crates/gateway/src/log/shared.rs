//! What requests, the writer and readers of a log share: the intake, the segments and the counters.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, RwLock, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use stemma_core::{
    Clock,
    endpoint::{declaration::LogMode, prediction::PredictionAddress},
};
use tokio::sync::oneshot;

use super::{
    error::{AppendError, LogError},
    folder::Folder,
    frame::{FRAME_HEADER_BYTES, SegmentId},
    intake::{Intake, LogOptions, Planned, Waiter, Work},
    record::EncodedRecord,
    segment::{Segment, SegmentWriter},
};

/// Hears when a record is on disk.
pub type OnDisk = oneshot::Receiver<Result<(), AppendError>>;

pub struct Shared {
    /// Held for as long as the log is open.
    folder: Folder,
    clock: Arc<dyn Clock>,
    options: LogOptions,
    intake: Mutex<Intake>,
    pub wake: Condvar,
    segments: RwLock<BTreeMap<SegmentId, Arc<Segment>>>,
    /// The segment that is written to; 0 while there is none.
    pub open: AtomicU64,
    pub written: AtomicU64,
    pub batches: AtomicU64,
    pub lost: AtomicU64,
    pub unsealed_bytes: AtomicU64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "log `{}`", self.folder.path().display())
    }
}

impl Shared {
    /// A log without an open segment, above all the segments that its folder ever had.
    pub fn new(folder: Folder, clock: Arc<dyn Clock>, options: LogOptions, last: SegmentId) -> Self {
        Self {
            folder,
            clock,
            options,
            intake: Mutex::new(Intake::new(last)),
            wake: Condvar::new(),
            segments: RwLock::default(),
            open: AtomicU64::new(0),
            written: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            unsealed_bytes: AtomicU64::new(0),
        }
    }

    pub fn directory(&self) -> &Path {
        self.folder.path()
    }

    pub fn intake(&self) -> MutexGuard<'_, Intake> {
        self.intake.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub fn segments_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<SegmentId, Arc<Segment>>> {
        self.segments.write().unwrap_or_else(|e| e.into_inner())
    }

    pub fn segment(&self, id: SegmentId) -> Option<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(|e| e.into_inner());
        segments.get(&id).cloned()
    }

    pub fn all_segments(&self) -> Vec<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(|e| e.into_inner());
        segments.values().cloned().collect()
    }

    /// Takes over what an earlier process left.
    pub fn adopt(&self, segments: Vec<Arc<Segment>>) -> Result<(), LogError> {
        for segment in segments {
            let metadata =
                std::fs::metadata(&segment.path).map_err(|source| LogError::io("read", &segment.path, source))?;
            self.unsealed_bytes.fetch_add(metadata.len(), Ordering::SeqCst);
            self.segments_mut().insert(segment.id, segment);
        }
        Ok(())
    }

    /// Gives a row and queues the record; the receiver, if there is one, hears when it is on disk.
    pub fn enqueue(
        &self,
        mode: LogMode,
        record: EncodedRecord,
    ) -> Result<(PredictionAddress, Option<OnDisk>), AppendError> {
        let EncodedRecord { ordinal, payload } = record;
        let frame_bytes = (FRAME_HEADER_BYTES + payload.len()) as u64;
        let mut intake = self.intake();
        self.check_room(&intake, frame_bytes)?;
        let Some(open) = &intake.open else {
            return Err(AppendError::NotWritable);
        };
        if !open.has_room(ordinal, frame_bytes, &self.options) {
            self.rotate_to_new(&mut intake, None);
        }
        let open = intake.open.as_mut().ok_or(AppendError::NotWritable)?;
        let row = open.take_row(ordinal, frame_bytes);
        let segment = open.segment;
        let (waiter, receiver) = match mode {
            LogMode::Durable => {
                let (waiter, receiver) = oneshot::channel();
                (Some(waiter), Some(receiver))
            }
            LogMode::Fast | LogMode::Off => (None, None),
        };
        intake.queued_bytes += frame_bytes as usize;
        intake.queue.push(Work::Record { segment, ordinal, row, payload, waiter });
        drop(intake);
        self.wake.notify_one();
        let address = PredictionAddress { segment, endpoint: ordinal, row };
        Ok((address, receiver))
    }

    fn check_room(&self, intake: &Intake, frame_bytes: u64) -> Result<(), AppendError> {
        let queued = intake.queued_bytes + frame_bytes as usize;
        if queued > self.options.queue_bytes_max && intake.queued_bytes > 0 {
            return Err(AppendError::QueueFull);
        }
        if self.unsealed_bytes.load(Ordering::SeqCst) >= self.options.unsealed_bytes_max {
            return Err(AppendError::Backlog);
        }
        Ok(())
    }

    fn rotate_to_new(&self, intake: &mut Intake, waiter: Option<Waiter>) {
        let to = self.next_segment(intake);
        intake.open = Some(Planned::new(to));
        intake.queue.push(Work::Rotate { to, waiter });
    }

    /// Plans a new segment; `None` if the open one holds no record.
    pub fn plan_rotation(&self) -> Option<(SegmentId, OnDisk)> {
        let mut intake = self.intake();
        let open = intake.open.as_ref()?;
        if open.next_rows.is_empty() {
            return None;
        }
        let ended = open.segment;
        let (waiter, done) = oneshot::channel();
        self.rotate_to_new(&mut intake, Some(waiter));
        drop(intake);
        self.wake.notify_one();
        Some((ended, done))
    }

    /// Asks the writer for a new segment if there is none to write to.
    pub fn ask_to_reopen(&self) -> Option<OnDisk> {
        let mut intake = self.intake();
        if intake.open.is_some() {
            return None;
        }
        let (waiter, reopened) = oneshot::channel();
        intake.reopen.push(waiter);
        drop(intake);
        self.wake.notify_one();
        Some(reopened)
    }

    /// Gives an id greater than any given before, in this or an earlier process.
    pub fn next_segment(&self, intake: &mut Intake) -> SegmentId {
        let millis = u64::try_from(self.clock.now().millis()).unwrap_or(0);
        let mut random = [0; 2];
        // without randomness the ids of two gateways may collide only within one millisecond
        let _ = getrandom::fill(&mut random);
        let fresh = (millis << 16) | u64::from(u16::from_le_bytes(random));
        intake.last_segment = fresh.max(intake.last_segment + 1);
        intake.last_segment
    }

    /// Creates a segment's file and shows it to readers.
    pub fn create(&self, id: SegmentId) -> io::Result<SegmentWriter> {
        self.folder.remember_last_segment(id)?;
        let writer = SegmentWriter::create(self.directory(), id)?;
        let reader = writer.reader()?;
        // in this order: whoever sees the segment must see that it is the open one, and not seal it
        self.open.store(id, Ordering::SeqCst);
        self.segments_mut().insert(id, Arc::new(reader));
        Ok(writer)
    }

    /// Gives no more rows in a segment that can't be written to.
    pub fn stop_planning(&self, segment: SegmentId) {
        let mut intake = self.intake();
        if intake.open.as_ref().is_some_and(|open| open.segment == segment) {
            intake.open = None;
        }
    }
}
