//! One segment: its file, and where in it each record lies.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, RwLock},
};

use stemma_core::{Digest, endpoint::prediction::PredictionAddress};

use super::{
    error::LogError,
    frame::{
        FRAME_HEADER_BYTES, FrameAt, FrameHeader, FrameKind, Scan, SegmentId, announced_payload, push_frame,
        read_frame, segment_header,
    },
    named::NamedRows,
};

/// How far ahead of the last frame the file is allocated, so that a write needs no new blocks.
const PREALLOCATED_BYTES: u64 = 4 << 20;

/// The file name of a segment.
pub fn file_name(segment: SegmentId) -> String {
    format!("{segment:016x}.seg")
}

/// Returns the segment that a file name stands for.
pub fn parse_file_name(name: &str) -> Option<SegmentId> {
    let digits = name.strip_suffix(".seg")?;
    let segment = SegmentId::from_str_radix(digits, 16).ok()?;
    (file_name(segment) == name).then_some(segment)
}

/// The beginning of a segment that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub segment: SegmentId,
    pub records: u64,
    pub bytes: u64,
    /// Of these bytes: later ones change nothing of it.
    pub digest: Digest,
}

/// A segment as readers see it: whatever the index holds is on disk.
#[derive(Debug)]
pub struct Segment {
    pub id: SegmentId,
    pub path: PathBuf,
    file: File,
    index: RwLock<SegmentIndex>,
    named: Mutex<NamedRows>,
    /// Offset of damage found when it was opened.
    pub damage: Option<u64>,
}

/// Rows of each endpoint in the order in which they were written.
#[derive(Debug, Default, Clone)]
pub struct SegmentIndex {
    pub rows: HashMap<u16, Vec<(u32, u64)>>,
    pub records: u64,
    /// None of a damaged segment.
    pub extent: Option<Extent>,
}

impl SegmentIndex {
    pub fn push(&mut self, frame: FrameAt) {
        let rows = self.rows.entry(frame.ordinal).or_default();
        rows.push((frame.row, frame.offset));
        self.records += 1;
    }

    fn offset_of(&self, ordinal: u16, row: u32) -> Option<u64> {
        let rows = self.rows.get(&ordinal)?;
        let at = rows.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        Some(rows[at].1)
    }
}

impl Segment {
    pub fn new(id: SegmentId, path: PathBuf, file: File, damage: Option<u64>) -> Self {
        Self { id, path, file, index: RwLock::default(), named: Mutex::default(), damage }
    }

    pub fn publish(&self, frames: impl IntoIterator<Item = FrameAt>) {
        let mut index = self.index.write().unwrap_or_else(|e| e.into_inner());
        frames.into_iter().for_each(|frame| index.push(frame));
    }

    pub fn note(&self, extent: Extent) {
        self.index.write().unwrap_or_else(|e| e.into_inner()).extent = Some(extent);
    }

    pub fn index<T>(&self, read: impl FnOnce(&SegmentIndex) -> T) -> T {
        read(&self.index.read().unwrap_or_else(|e| e.into_inner()))
    }

    pub fn named<T>(&self, look: impl FnOnce(&mut NamedRows) -> T) -> T {
        look(&mut self.named.lock().unwrap_or_else(|e| e.into_inner()))
    }

    /// Returns the payload of the record at an address in this segment, checked against its CRC.
    pub fn read(&self, ordinal: u16, row: u32) -> Result<Option<Vec<u8>>, LogError> {
        match self.index(|index| index.offset_of(ordinal, row)) {
            None => Ok(None),
            Some(offset) => self.read_at(ordinal, row, offset).map(Some),
        }
    }

    /// Returns the payload of the frame at an offset, which must be that of the row.
    pub fn read_at(&self, ordinal: u16, row: u32, offset: u64) -> Result<Vec<u8>, LogError> {
        let corrupt = || LogError::Corrupt { path: self.path.clone(), offset };
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => corrupt(),
            _ => LogError::io("read", &self.path, error),
        };
        let mut fixed = [0; FRAME_HEADER_BYTES];
        self.file.read_exact_at(&mut fixed, offset).map_err(failed)?;
        let length = announced_payload(&fixed).ok_or_else(corrupt)?;
        let mut frame = vec![0; FRAME_HEADER_BYTES + length];
        self.file.read_exact_at(&mut frame, offset).map_err(failed)?;
        let (header, _) = read_frame(&frame).ok_or_else(corrupt)?;
        if header.kind != (FrameKind::Record { ordinal, row }) || header.segment != self.id {
            return Err(corrupt());
        }
        frame.drain(..FRAME_HEADER_BYTES);
        Ok(frame)
    }

    pub fn address(&self, ordinal: u16, row: u32) -> PredictionAddress {
        PredictionAddress { segment: self.id, endpoint: ordinal, row }
    }
}

/// The writing end of the open segment.
#[derive(Debug)]
pub struct SegmentWriter {
    pub id: SegmentId,
    path: PathBuf,
    file: File,
    /// Everything before it is on disk.
    stable: u64,
    allocated: u64,
    preallocates: bool,
    batch: u32,
    records: u32,
    buffer: Vec<u8>,
    /// Of everything before `stable`.
    hasher: blake3::Hasher,
}

impl SegmentWriter {
    /// Creates the file of a new segment and makes it durable, so that frames can follow.
    pub fn create(directory: &Path, id: SegmentId) -> io::Result<Self> {
        let path = directory.join(file_name(id));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let mut writer = Self {
            id,
            path,
            file,
            stable: 0,
            allocated: 0,
            preallocates: true,
            batch: 0,
            records: 0,
            buffer: Vec::new(),
            hasher: blake3::Hasher::new(),
        };
        match writer.begin(directory) {
            Ok(()) => Ok(writer),
            Err(error) => {
                // the name must not stay taken by a file that never held anything
                let _ = std::fs::remove_file(&writer.path);
                Err(error)
            }
        }
    }

    fn begin(&mut self, directory: &Path) -> io::Result<()> {
        let header = segment_header(self.id);
        self.allocate(header.len() as u64)?;
        self.file.write_all_at(&header, 0)?;
        self.file.sync_all()?;
        File::open(directory)?.sync_all()?;
        self.stable = header.len() as u64;
        self.hasher.update(&header);
        Ok(())
    }

    /// Takes over a recovered segment to end it; `hasher` has read all before `end`.
    pub fn resume(segment: &Segment, file: File, scan: &Scan, hasher: blake3::Hasher) -> Self {
        let records = u32::try_from(scan.frames.len()).expect("rows are counted in 32 bits");
        let (end, last_batch) = (scan.end, scan.last_batch);
        Self {
            id: segment.id,
            path: segment.path.clone(),
            file,
            stable: end,
            allocated: end,
            preallocates: false,
            batch: last_batch,
            records,
            buffer: Vec::new(),
            hasher,
        }
    }

    pub fn reader(&self) -> io::Result<Segment> {
        let file = self.file.try_clone()?;
        Ok(Segment::new(self.id, self.path.clone(), file, None))
    }

    /// What is on disk.
    pub fn extent(&self) -> Extent {
        let digest = Digest::from_bytes(*self.hasher.finalize().as_bytes());
        Extent { segment: self.id, records: u64::from(self.records), bytes: self.stable, digest }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn records(&self) -> u32 {
        self.records
    }

    /// Lays a record out in the pending write and returns where it will lie.
    pub fn push(&mut self, ordinal: u16, row: u32, payload: &[u8]) -> FrameAt {
        let offset = self.stable + self.buffer.len() as u64;
        let header = self.header(FrameKind::Record { ordinal, row });
        push_frame(&mut self.buffer, &header, payload);
        self.records += 1;
        FrameAt { ordinal, row, offset }
    }

    fn header(&self, kind: FrameKind) -> FrameHeader {
        FrameHeader { kind, batch: self.batch + 1, stable: self.stable, segment: self.id }
    }

    /// Writes what was pushed with one write and one sync.
    pub fn commit(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let end = self.stable + self.buffer.len() as u64;
        self.allocate(end)?;
        self.file.write_all_at(&self.buffer, self.stable)?;
        self.file.sync_data()?;
        self.stable = end;
        self.batch += 1;
        self.hasher.update(&self.buffer);
        self.buffer.clear();
        self.buffer.shrink_to(PREALLOCATED_BYTES as usize);
        Ok(())
    }

    /// Forgets the pending write.
    pub fn abandon_pending(&mut self, records: u32) {
        self.buffer.clear();
        self.records -= records;
        // the failed write may have left frames behind; the end frame must be newer than they are
        self.batch += 1;
    }

    /// Ends the segment: the end frame, no padding behind it, all of it on disk.
    pub fn close(&mut self) -> io::Result<()> {
        let header = self.header(FrameKind::End { records: self.records });
        push_frame(&mut self.buffer, &header, &[]);
        self.file.set_len(self.stable)?;
        self.allocated = self.stable;
        self.preallocates = false;
        self.commit()?;
        self.file.sync_all()
    }

    fn allocate(&mut self, end: u64) -> io::Result<()> {
        if end <= self.allocated || !self.preallocates {
            return Ok(());
        }
        let target = end.next_multiple_of(PREALLOCATED_BYTES);
        let more = target - self.allocated;
        match rustix::fs::fallocate(&self.file, rustix::fs::FallocateFlags::empty(), self.allocated, more) {
            Ok(()) => self.allocated = target,
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                self.preallocates = false;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
