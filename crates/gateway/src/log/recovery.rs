//! What is found in the log's directory when it is opened.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
    sync::Arc,
};

use stemma_core::Digest;

use super::{
    error::LogError,
    frame::{self, Scan, SegmentId},
    segment::{Segment, SegmentWriter, file_name, parse_file_name},
};

/// What became of one segment that an earlier process left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredSegment {
    pub segment: SegmentId,
    /// Whole records.
    pub records: u64,
    /// Bytes of a torn write behind the last whole frame; they were never acknowledged as durable.
    pub dropped_bytes: u64,
    /// Offset of bytes that were on disk and are not what they were. The file is left as it is.
    pub damage: Option<u64>,
}

/// Reads every segment of the directory, oldest first; ends those that a crash left open and removes empty ones.
pub fn recover(directory: &Path) -> Result<(Vec<Arc<Segment>>, Vec<RecoveredSegment>), LogError> {
    let (mut segments, mut reports) = (Vec::new(), Vec::new());
    for segment in segments_in(directory)? {
        let (segment, report) = recover_segment(directory, segment)?;
        segments.extend(segment);
        reports.push(report);
    }
    Ok((segments, reports))
}

fn segments_in(directory: &Path) -> Result<Vec<SegmentId>, LogError> {
    let failed = |source| LogError::io("list", directory, source);
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        segments.extend(name.to_str().and_then(parse_file_name));
    }
    segments.sort_unstable();
    Ok(segments)
}

fn recover_segment(directory: &Path, id: SegmentId) -> Result<(Option<Arc<Segment>>, RecoveredSegment), LogError> {
    let path = directory.join(file_name(id));
    let failed = |source| LogError::io("recover", &path, source);
    let bytes = std::fs::read(&path).map_err(failed)?;
    let scan = frame::scan(id, &bytes);
    let mut hasher = blake3::Hasher::new();
    hasher.update(bytes.get(..scan.end as usize).unwrap_or(&bytes));
    drop(bytes);
    report(&path, &scan);
    let recovered = RecoveredSegment {
        segment: id,
        records: scan.frames.len() as u64,
        dropped_bytes: scan.torn_bytes,
        damage: scan.damage,
    };
    if scan.frames.is_empty() && scan.damage.is_none() {
        std::fs::remove_file(&path).map_err(failed)?;
        return Ok((None, recovered));
    }
    let file = open(&path).map_err(failed)?;
    let segment = Segment::new(id, path.clone(), file, scan.damage);
    if scan.damage.is_none() {
        end(&segment, &scan, hasher).map_err(failed)?;
    }
    segment.publish(scan.frames);
    Ok((Some(Arc::new(segment)), recovered))
}

fn report(path: &Path, scan: &Scan) {
    let path = path.display();
    if let Some(offset) = scan.damage {
        tracing::error!("log segment `{path}` is damaged at byte {offset}");
    } else if scan.torn_bytes > 0 {
        let dropped = scan.torn_bytes;
        tracing::warn!("log segment `{path}`: dropped {dropped} bytes of a torn write");
    }
}

/// Cuts the torn tail off and writes the end frame, so that what is there now can be told from damage later.
fn end(segment: &Segment, scan: &Scan, hasher: blake3::Hasher) -> io::Result<()> {
    let file = open(&segment.path)?;
    let mut writer = SegmentWriter::resume(segment, file.try_clone()?, scan, hasher);
    if !scan.closed {
        writer.close()?;
    } else if scan.torn_bytes > 0 {
        file.set_len(scan.end)?;
        file.sync_all()?;
    }
    segment.note(writer.extent());
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// A segment's file as it lies there, whether or not a log is open on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSeen {
    pub segment: SegmentId,
    /// Whole records.
    pub records: u64,
    /// Offset of bytes that were on disk and are not what they were.
    pub damage: Option<u64>,
    /// Of the beginning that was asked for; `None` if the file is shorter.
    pub beginning: Option<Digest>,
}

/// Looks at all segments of a directory and changes nothing; `noted` says how long a beginning of each is wanted.
pub fn look_at_segments(
    directory: &Path,
    noted: impl Fn(SegmentId) -> Option<u64>,
) -> Result<Vec<SegmentSeen>, LogError> {
    let mut seen = Vec::new();
    for segment in segments_in(directory)? {
        let path = directory.join(file_name(segment));
        let bytes = match std::fs::read(&path) {
            // sealed meanwhile
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read.map_err(|source| LogError::io("read", &path, source))?,
        };
        let scan = frame::scan(segment, &bytes);
        let length = noted(segment).and_then(|length| usize::try_from(length).ok());
        let beginning = length.and_then(|length| bytes.get(..length)).map(Digest::of);
        let records = scan.frames.len() as u64;
        seen.push(SegmentSeen { segment, records, damage: scan.damage, beginning });
    }
    Ok(seen)
}
