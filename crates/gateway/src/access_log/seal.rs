//! Sealing: an ended segment becomes lines of JSON, one for each entry, in their order.

use stemma_core::{Timestamp, access_log::AccessEntry};

use super::log::{AccessLog, lines, read};
use crate::log::{LogError, SegmentId};

/// What a segment held, for the caller to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAccess {
    /// At most as long as a segment may be. The same segment always gives the same.
    pub lines: Vec<u8>,
    pub entries: u64,
    /// How many are in it as numbers alone.
    pub not_written: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

impl SealedAccess {
    /// The entries that lines hold, in their order; fails if one can't be read.
    pub fn entries_in(lines: &[u8]) -> Result<Vec<AccessEntry>, String> {
        let text = lines.strip_suffix(b"\n").ok_or("it does not end with a line")?;
        let entries = text.split(|byte| *byte == b'\n').map(AccessEntry::read);
        entries.collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    /// Counts what lines hold; fails if one can't be read, and if there is none.
    pub fn of(lines: Vec<u8>) -> Result<Self, String> {
        let mut sealed = Self::empty();
        Self::entries_in(&lines)?.iter().for_each(|entry| sealed.count(entry));
        Ok(Self { lines, ..sealed })
    }

    const fn empty() -> Self {
        let (first, last) = (Timestamp(i64::MAX), Timestamp(i64::MIN));
        Self { lines: Vec::new(), entries: 0, not_written: 0, first, last }
    }

    fn count(&mut self, entry: &AccessEntry) {
        self.entries += 1;
        self.not_written += entry.not_written();
        self.first = self.first.min(entry.time());
        self.last = self.last.max(entry.time());
    }
}

impl AccessLog {
    /// Reads an ended segment whole. Fails if it was found damaged.
    pub fn seal(&self, segment: SegmentId) -> Result<SealedAccess, LogError> {
        let segment = self.segments.ended(segment)?;
        if let Some(offset) = segment.damage {
            return Err(LogError::Corrupt { path: segment.path.clone(), offset });
        }
        let mut sealed = SealedAccess::empty();
        for line in lines(&segment)? {
            sealed.count(&read(&segment, &line)?);
            sealed.lines.extend(line);
            sealed.lines.push(b'\n');
        }
        Ok(sealed)
    }

    /// Deletes an ended segment whose sealed part the caller has made durable.
    pub fn remove(&self, segment: SegmentId) -> Result<(), LogError> {
        self.segments.delete(segment)
    }
}
