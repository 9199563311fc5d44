//! The prediction log: an append-only segment per gateway, from which every answered request can be read again.
//!
//! Requests get their row under a short lock and wait; one writer thread writes all that wait with one write and one
//! sync. Any failure to write ends the segment at its last durable byte, and a new one begins when the disk allows, so
//! nothing is acknowledged that is not there and no row is given twice.

pub(crate) mod frame;
pub(crate) mod recovery;
pub(crate) mod segment;
mod writer;

use std::{
    collections::{BTreeMap, HashMap},
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use serde::{Deserialize, Serialize};
use stemma_core::{
    Clock,
    name::ProjectName,
    prediction::{PredictionAddress, PredictionId, PredictionKey, PredictionRecord},
    route::LogMode,
};
use tokio::sync::oneshot;

pub use recovery::{RecoveredSegment, SegmentSeen, look_at_segments};
pub use segment::Extent;
use segment::{Segment, SegmentWriter};

/// Milliseconds since the epoch in the upper 48 bits, 16 random bits below.
pub type SegmentId = u64;

const LOCK_FILE: &str = "log.lock";
/// Where sealed parts wait for their caller, below the log's directory.
pub(crate) const SEALING_DIRECTORY: &str = "sealing";

/// The bounds of a log.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// A segment is ended before it grows beyond this.
    pub segment_bytes_max: u64,
    /// Records that wait for the disk; beyond this, requests are turned away.
    pub queue_bytes_max: usize,
    /// Ended segments that wait to be sealed; beyond this, nothing is written until some are.
    pub unsealed_bytes_max: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes_max: 64 << 20, queue_bytes_max: 64 << 20, unsealed_bytes_max: 16 << 30 }
    }
}

/// Why the log can't be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("cannot {act} `{}`: {source}", path.display())]
    Io { act: &'static str, path: PathBuf, source: io::Error },
    #[error("prediction log `{}` is in use by another process", .0.display())]
    InUse(PathBuf),
    #[error("prediction log segment `{}` is damaged at byte {offset}", path.display())]
    Corrupt { path: PathBuf, offset: u64 },
    #[error("prediction log has no ended segment {0:016x}")]
    NoSuchSegment(SegmentId),
}

impl LogError {
    pub(crate) fn io(act: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { act, path: path.to_owned(), source }
    }
}

/// Why a record was not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The cause, which may name paths, is logged where it happens.
    #[error("prediction log is not writable")]
    NotWritable,
    #[error("prediction log is not keeping up")]
    QueueFull,
    #[error("prediction log holds too much that is not sealed yet")]
    Backlog,
    #[error("prediction record of {bytes} bytes is longer than {} bytes", frame::PAYLOAD_BYTES_MAX)]
    TooLarge { bytes: usize },
    #[error("prediction record cannot be written as JSON: {0}")]
    Unwritable(String),
}

/// A record to be kept, with what its id and its file need.
#[derive(Debug, Clone, Copy)]
pub struct NewRecord<'a> {
    pub project: &'a ProjectName,
    pub ordinal: u16,
    pub record: &'a PredictionRecord,
}

impl NewRecord<'_> {
    /// Returns the record as it will lie in its frame, if it can.
    pub fn encode(&self) -> Result<EncodedRecord, AppendError> {
        if !self.record.propensity.is_finite() {
            let reason = format!("propensity {} is not finite", self.record.propensity);
            return Err(AppendError::Unwritable(reason));
        }
        let stored = StoredRef { project: self.project, record: self.record };
        let payload = serde_json::to_vec(&stored).map_err(|error| AppendError::Unwritable(error.to_string()))?;
        if payload.len() > frame::PAYLOAD_BYTES_MAX {
            let bytes = payload.len();
            return Err(AppendError::TooLarge { bytes });
        }
        Ok(EncodedRecord { ordinal: self.ordinal, payload })
    }
}

/// A record as it will lie in its frame. Encoding may take a while; it needs no lock and no disk.
#[derive(Debug, Clone)]
pub struct EncodedRecord {
    ordinal: u16,
    payload: Vec<u8>,
}

/// The payload of a frame.
#[derive(Serialize)]
struct StoredRef<'a> {
    project: &'a ProjectName,
    record: &'a PredictionRecord,
}

/// The payload of a frame, read back.
#[derive(Debug, Deserialize)]
pub(crate) struct Stored {
    pub project: ProjectName,
    pub record: PredictionRecord,
}

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

/// Stops the writer when the last handle is gone.
#[derive(Debug)]
struct WriterThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    directory: PathBuf,
    key: PredictionKey,
    clock: Arc<dyn Clock>,
    options: LogOptions,
    /// Held for as long as the log is open; remembers the greatest segment id ever given.
    lock: File,
    intake: Mutex<Intake>,
    wake: Condvar,
    segments: RwLock<BTreeMap<SegmentId, Arc<Segment>>>,
    /// The segment that is written to; 0 while there is none.
    open: AtomicU64,
    written: AtomicU64,
    batches: AtomicU64,
    lost: AtomicU64,
    unsealed_bytes: AtomicU64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "prediction log `{}`", self.directory.display())
    }
}

type Waiter = oneshot::Sender<Result<(), AppendError>>;

/// What requests hand to the writer, and the rows they were given.
#[derive(Debug)]
struct Intake {
    /// `None` after a failed write, until somebody asks for a new segment.
    open: Option<Planned>,
    queue: Vec<Work>,
    queued_bytes: usize,
    reopen: Vec<Waiter>,
    last_segment: SegmentId,
    closing: bool,
}

/// The open segment as it will be once the queue is written.
#[derive(Debug)]
struct Planned {
    segment: SegmentId,
    bytes: u64,
    next_rows: HashMap<u16, u32>,
}

#[derive(Debug)]
enum Work {
    Record {
        segment: SegmentId,
        ordinal: u16,
        row: u32,
        payload: Vec<u8>,
        /// `None` if the request was answered already.
        waiter: Option<Waiter>,
    },
    Rotate {
        to: SegmentId,
        waiter: Option<Waiter>,
    },
    Sync {
        waiter: Waiter,
    },
}

impl Planned {
    fn new(segment: SegmentId) -> Self {
        Self { segment, bytes: frame::SEGMENT_HEADER_BYTES as u64, next_rows: HashMap::new() }
    }

    fn has_room(&self, ordinal: u16, frame_bytes: u64, options: &LogOptions) -> bool {
        let fits = self.bytes + frame_bytes <= options.segment_bytes_max;
        let last_row = self.next_rows.get(&ordinal) == Some(&u32::MAX);
        self.next_rows.is_empty() || (fits && !last_row)
    }

    fn take_row(&mut self, ordinal: u16, frame_bytes: u64) -> u32 {
        let next = self.next_rows.entry(ordinal).or_default();
        let row = *next;
        *next += 1;
        self.bytes += frame_bytes;
        row
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
        std::fs::create_dir_all(directory).map_err(|source| LogError::io("create", directory, source))?;
        let lock = lock(directory)?;
        clear_sealing(directory)?;
        let (segments, recovered) = recovery::recover(directory)?;
        let newest = recovered.last().map_or(0, |segment| segment.segment);
        let mut shared = Shared {
            directory: directory.to_owned(),
            key,
            clock,
            options,
            intake: Mutex::new(Intake::new(newest.max(last_segment(&lock, directory)?))),
            lock,
            wake: Condvar::new(),
            segments: RwLock::default(),
            open: AtomicU64::new(0),
            written: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            unsealed_bytes: AtomicU64::new(0),
        };
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

    /// Keeps a record and returns its id; with `Durable` the record is on disk when this returns.
    ///
    /// `Fast` returns as soon as the record waits for the disk; `Off` keeps nothing and gives no id.
    pub async fn append(&self, mode: LogMode, record: EncodedRecord) -> Result<Option<PredictionId>, AppendError> {
        if mode == LogMode::Off {
            return Ok(None);
        }
        self.ensure_writable().await?;
        let (address, on_disk) = self.shared.enqueue(mode, record)?;
        if let Some(on_disk) = on_disk {
            on_disk.await.unwrap_or(Err(AppendError::NotWritable))?;
        }
        Ok(Some(PredictionId::seal(address, &self.shared.key)))
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
            Some(segment) => Ok(read(&segment, address)?.map(|stored| stored.record)),
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
                if let Some(stored) = read(segment, address)? {
                    found.push((PredictionId::seal(address, &self.shared.key), stored.record));
                }
            }
        }
        Ok(found)
    }

    /// Counts an endpoint's records on disk that are not sealed away, by revision and arm; and says which segments they
    /// are of.
    pub fn counts(&self, ordinal: u16) -> Result<(Vec<SegmentId>, crate::seal::ArmCounts), LogError> {
        let (mut segments, mut counts) = (Vec::new(), crate::seal::ArmCounts::new());
        for segment in self.shared.all_segments() {
            let rows: Vec<u32> =
                segment.index(|index| index.rows.get(&ordinal).into_iter().flatten().map(|(row, _)| *row).collect());
            for row in rows {
                if let Some(stored) = read(&segment, segment.address(ordinal, row))? {
                    *counts.entry((stored.record.revision, stored.record.variant)).or_default() += 1;
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

    /// Deletes an ended segment whose sealed parts the caller has made durable, and the parts' files.
    pub fn remove(&self, segment: SegmentId) -> Result<(), LogError> {
        let found = self.ended(segment)?;
        let bytes = std::fs::metadata(&found.path).map_or(0, |metadata| metadata.len());
        crate::seal::remove_parts(&self.shared.directory, segment)?;
        let directory = &self.shared.directory;
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
        &self.shared.directory
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

impl Intake {
    fn new(last_segment: SegmentId) -> Self {
        Self { open: None, queue: Vec::new(), queued_bytes: 0, reopen: Vec::new(), last_segment, closing: false }
    }
}

impl Shared {
    fn intake(&self) -> MutexGuard<'_, Intake> {
        self.intake.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn segments_mut(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<SegmentId, Arc<Segment>>> {
        self.segments.write().unwrap_or_else(|e| e.into_inner())
    }

    fn segment(&self, id: SegmentId) -> Option<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(|e| e.into_inner());
        segments.get(&id).cloned()
    }

    fn all_segments(&self) -> Vec<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(|e| e.into_inner());
        segments.values().cloned().collect()
    }

    fn adopt(&mut self, segments: Vec<Arc<Segment>>) -> Result<(), LogError> {
        for segment in segments {
            let metadata =
                std::fs::metadata(&segment.path).map_err(|source| LogError::io("read", &segment.path, source))?;
            self.unsealed_bytes.fetch_add(metadata.len(), Ordering::SeqCst);
            self.segments_mut().insert(segment.id, segment);
        }
        Ok(())
    }

    /// Gives a row and queues the record; the receiver, if there is one, hears when it is on disk.
    #[expect(clippy::type_complexity, reason = "the two things an append waits for")]
    fn enqueue(
        &self,
        mode: LogMode,
        record: EncodedRecord,
    ) -> Result<(PredictionAddress, Option<oneshot::Receiver<Result<(), AppendError>>>), AppendError> {
        let EncodedRecord { ordinal, payload } = record;
        let frame_bytes = (frame::FRAME_HEADER_BYTES + payload.len()) as u64;
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

    fn plan_rotation(&self) -> Option<(SegmentId, oneshot::Receiver<Result<(), AppendError>>)> {
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

    fn ask_to_reopen(&self) -> Option<oneshot::Receiver<Result<(), AppendError>>> {
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
    fn next_segment(&self, intake: &mut Intake) -> SegmentId {
        let millis = u64::try_from(self.clock.now().millis()).unwrap_or(0);
        let mut random = [0; 2];
        // without randomness the ids of two gateways may collide only within one millisecond
        let _ = getrandom::fill(&mut random);
        let fresh = (millis << 16) | u64::from(u16::from_le_bytes(random));
        intake.last_segment = fresh.max(intake.last_segment + 1);
        intake.last_segment
    }

    /// Creates a segment's file and shows it to readers.
    fn create(&self, id: SegmentId) -> io::Result<SegmentWriter> {
        remember_last_segment(&self.lock, id)?;
        let writer = SegmentWriter::create(&self.directory, id)?;
        let reader = writer.reader()?;
        // in this order: whoever sees the segment must see that it is the open one, and not seal it
        self.open.store(id, Ordering::SeqCst);
        self.segments_mut().insert(id, Arc::new(reader));
        Ok(writer)
    }
}

fn read(segment: &Segment, address: PredictionAddress) -> Result<Option<Stored>, LogError> {
    let payload = segment.read(address.endpoint, address.row)?;
    payload.map(|payload| decode(segment, &payload)).transpose()
}

pub(crate) fn decode(segment: &Segment, payload: &[u8]) -> Result<Stored, LogError> {
    serde_json::from_slice(payload).map_err(|error| {
        LogError::io("decode a record of", &segment.path, io::Error::new(io::ErrorKind::InvalidData, error))
    })
}

fn lock(directory: &Path) -> Result<File, LogError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = directory.join(LOCK_FILE);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| LogError::io("open", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LogError::InUse(directory.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(LogError::io("lock", &path, source)),
    }
}

/// Reads the greatest segment id that was ever given; removed segments are known only from here.
fn last_segment(lock: &File, directory: &Path) -> Result<SegmentId, LogError> {
    use std::os::unix::fs::FileExt as _;
    let mut bytes = [0; 16];
    match lock.read_exact_at(&mut bytes, 0) {
        Ok(()) => {
            let text = std::str::from_utf8(&bytes).unwrap_or("");
            Ok(SegmentId::from_str_radix(text, 16).unwrap_or(0))
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        Err(source) => Err(LogError::io("read", &directory.join(LOCK_FILE), source)),
    }
}

fn remember_last_segment(lock: &File, segment: SegmentId) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    lock.write_all_at(format!("{segment:016x}").as_bytes(), 0)?;
    lock.sync_data()
}

fn clear_sealing(directory: &Path) -> Result<(), LogError> {
    let sealing = directory.join(SEALING_DIRECTORY);
    match std::fs::remove_dir_all(&sealing) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LogError::io("clear", &sealing, source)),
        _ => Ok(()),
    }
}
