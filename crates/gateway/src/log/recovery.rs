//! What is found in the log's directory when it is opened.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
    sync::Arc,
};

use super::{
    LogError, SegmentId,
    frame::{self, Scan},
    segment::{Segment, SegmentWriter, parse_file_name},
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
    let path = directory.join(super::segment::file_name(id));
    let failed = |source| LogError::io("recover", &path, source);
    let bytes = std::fs::read(&path).map_err(failed)?;
    let scan = frame::scan(id, &bytes);
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
    if scan.damage.is_none() && (!scan.closed || scan.torn_bytes > 0) {
        end(&segment, &scan).map_err(failed)?;
    }
    segment.publish(scan.frames);
    Ok((Some(Arc::new(segment)), recovered))
}

fn report(path: &Path, scan: &Scan) {
    let path = path.display();
    if let Some(offset) = scan.damage {
        tracing::error!("prediction log segment `{path}` is damaged at byte {offset}");
    } else if scan.torn_bytes > 0 {
        let dropped = scan.torn_bytes;
        tracing::warn!("prediction log segment `{path}`: dropped {dropped} bytes of a torn write");
    }
}

/// Cuts the torn tail off and writes the end frame, so that what is there now can be told from damage later.
fn end(segment: &Segment, scan: &Scan) -> io::Result<()> {
    let file = open(&segment.path)?;
    if scan.closed {
        file.set_len(scan.end)?;
        return file.sync_all();
    }
    let records = u32::try_from(scan.frames.len()).expect("rows are counted in 32 bits");
    SegmentWriter::resume(segment, file, scan.end, scan.last_batch, records).close()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}
