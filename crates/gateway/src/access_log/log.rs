//! Noting, and bringing to disk what was noted.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use stemma_core::{
    Clock, Timestamp,
    access_log::{Access, AccessEntry, AccessLimits, Limiter, Unwritten, WhyUnwritten},
};

use crate::log::{
    AppendError, EncodedRecord, LogError, LogOptions, RecoveredSegment, SegmentId, segment::Segment,
    segments::SegmentLog,
};

/// The bounds of the log's files: without anybody to seal them, a gibibyte, and then numbers alone.
pub const ACCESS_OPTIONS: LogOptions =
    LogOptions { segment_bytes_max: 32 << 20, queue_bytes_max: 32 << 20, unsealed_bytes_max: 1 << 30 };
/// Entries that wait for the next flush.
const WAITING_MAX: usize = 8192;
/// The endpoint that its frames name.
const ORDINAL: u16 = 0;

/// The access log of one home. Clones are handles to the same log.
#[derive(Clone)]
pub struct AccessLog {
    pub(super) segments: SegmentLog,
    noted: Arc<Mutex<Noted>>,
    /// Held by whoever flushes: entries keep their order.
    flushing: Arc<tokio::sync::Mutex<()>>,
    clock: Arc<dyn Clock>,
}

/// What was noted and is not on its way to disk.
#[derive(Debug)]
struct Noted {
    limiter: Limiter,
    waiting: Vec<AccessEntry>,
    /// Did not wait, since too much did.
    crowded_out: u64,
    /// Was to be written, and was not.
    failed: u64,
    /// Records in the open segment, at most.
    in_segment: u64,
}

/// How the log fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessState {
    /// False after a failed write, until one succeeds.
    pub is_writable: bool,
    /// What will be said to be not written when something can be written again.
    pub not_written: u64,
    /// Records of the open segment.
    pub in_segment: u64,
}

impl std::fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "access log `{}`", self.segments.directory().display())
    }
}

impl AccessLog {
    /// Opens the log of a directory: recovers what an earlier process left and begins a new segment.
    pub fn open(
        directory: &Path,
        clock: Arc<dyn Clock>,
        options: LogOptions,
        limits: AccessLimits,
    ) -> Result<Self, LogError> {
        let segments = SegmentLog::open(directory, clock.clone(), options)?;
        let noted =
            Noted { limiter: Limiter::new(limits), waiting: Vec::new(), crowded_out: 0, failed: 0, in_segment: 0 };
        Ok(Self { segments, noted: Arc::new(Mutex::new(noted)), flushing: Arc::default(), clock })
    }

    /// What opening found of earlier processes, oldest first.
    pub fn recovered(&self) -> &[RecoveredSegment] {
        self.segments.recovered()
    }

    /// Notes an access. Waits for no disk: it is there after the next flush, one by one or as a number.
    pub fn note(&self, access: Access) {
        let mut noted = self.noted();
        noted.roll(access.time);
        if noted.limiter.admit(&access) {
            noted.push(AccessEntry::Access(access));
        }
    }

    /// Brings to disk what waits, and of minutes that have ended what was not written one by one.
    ///
    /// What the disk does not take becomes a number, which the next flush tries to write.
    pub async fn flush(&self) -> Result<(), AppendError> {
        self.write_out(false).await
    }

    /// The same, and ends the present minute: for when nothing more is noted.
    pub async fn finish(&self) -> Result<(), AppendError> {
        self.write_out(true).await
    }

    async fn write_out(&self, ends: bool) -> Result<(), AppendError> {
        let _alone = self.flushing.lock().await;
        let now = self.clock.now();
        let (entries, taken) = self.noted().take(now, ends);
        if entries.is_empty() {
            return Ok(());
        }
        let line = |entry: &AccessEntry| EncodedRecord { ordinal: ORDINAL, payload: entry.write() };
        let lines: Vec<EncodedRecord> = entries.iter().map(line).collect();
        let written = self.segments.append_all(lines, |_| {}).await;
        let mut noted = self.noted();
        match written {
            Ok(()) => noted.in_segment += entries.len() as u64,
            // some may have come there: it is said to be a number at most
            Err(_) => noted.failed += taken,
        }
        written
    }

    /// Ends the open segment and begins a new one; returns the ended one, or nothing if it held no entry.
    pub async fn rotate(&self) -> Result<Option<SegmentId>, AppendError> {
        let _alone = self.flushing.lock().await;
        let ended = self.segments.rotate().await?;
        self.noted().in_segment = 0;
        Ok(ended)
    }

    /// Returns the ended segments that are not removed yet, oldest first: they wait to be sealed. A damaged one stays as it
    /// is, for a person to look at.
    pub fn unsealed(&self) -> Vec<SegmentId> {
        let damaged = |segment: &SegmentId| {
            self.recovered().iter().any(|found| found.segment == *segment && found.damage.is_some())
        };
        self.segments.unsealed().into_iter().filter(|segment| !damaged(segment)).collect()
    }

    /// The segments that are not removed, newest first.
    pub fn segments(&self) -> Vec<SegmentId> {
        self.segments.all_segments().iter().rev().map(|segment| segment.id).collect()
    }

    /// What is on disk of a segment; `None` if it was removed.
    pub fn entries(&self, segment: SegmentId) -> Result<Option<AccessesOnDisk>, LogError> {
        let Some(segment) = self.segments.segment(segment) else { return Ok(None) };
        let lines = lines(&segment)?;
        let entries = lines.iter().map(|line| read(&segment, line)).collect::<Result<_, _>>()?;
        Ok(Some(AccessesOnDisk { entries, damage: segment.damage }))
    }

    pub fn state(&self) -> AccessState {
        let noted = self.noted();
        AccessState {
            is_writable: self.segments.is_writable(),
            not_written: noted.failed + noted.crowded_out,
            in_segment: noted.in_segment,
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is on disk of a segment.
pub struct AccessesOnDisk {
    /// Oldest first.
    pub entries: Vec<AccessEntry>,
    /// Where it is damaged, if it is.
    pub damage: Option<u64>,
}

impl Noted {
    fn roll(&mut self, now: Timestamp) {
        for unwritten in self.limiter.roll(now) {
            self.push(AccessEntry::Unwritten(unwritten));
        }
    }

    fn push(&mut self, entry: AccessEntry) {
        match self.waiting.len() < WAITING_MAX {
            true => self.waiting.push(entry),
            false => self.crowded_out += entry.not_written().max(1),
        }
    }

    /// What is to be written, and how many accesses that is.
    fn take(&mut self, now: Timestamp, ends: bool) -> (Vec<AccessEntry>, u64) {
        self.roll(now);
        let mut entries = std::mem::take(&mut self.waiting);
        let ended = if ends { self.limiter.end() } else { Vec::new() };
        entries.extend(ended.into_iter().map(AccessEntry::Unwritten));
        for (count, why) in [
            (std::mem::take(&mut self.crowded_out), WhyUnwritten::Queue),
            (std::mem::take(&mut self.failed), WhyUnwritten::Disk),
        ] {
            if count > 0 {
                let unwritten = Unwritten { time: now, count, why, by: None, from: None, refused: None };
                entries.push(AccessEntry::Unwritten(unwritten));
            }
        }
        let accesses = entries.iter().map(|entry| entry.not_written().max(1)).sum();
        (entries, accesses)
    }
}

/// The lines of a segment, oldest first.
pub(super) fn lines(segment: &Segment) -> Result<Vec<Vec<u8>>, LogError> {
    let rows = segment.index(|index| index.rows.get(&ORDINAL).cloned().unwrap_or_default());
    rows.into_iter().map(|(row, offset)| segment.read_at(ORDINAL, row, offset)).collect()
}

pub(super) fn read(segment: &Segment, line: &[u8]) -> Result<AccessEntry, LogError> {
    let undecodable = |error| LogError::io("decode an entry of", &segment.path, std::io::Error::other(error));
    AccessEntry::read(line).map_err(undecodable)
}
