//! What was gone through of a log, and what of it can't be read.

use super::{frame::SegmentId, segment::Segment};

/// A part of a segment that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub segment: SegmentId,
    pub what: String,
}

impl Unread {
    /// What of a segment can't be read: what was found damaged when it was opened, and records that failed since.
    pub(super) fn of(segment: &Segment, failed: u64, first: Option<String>) -> Vec<Self> {
        let damaged = segment.damage.map(|offset| format!("it is damaged at byte {offset}"));
        let failed = first.map(|first| match failed {
            1 => first,
            several => format!("{several} of its records; of the first: {first}"),
        });
        damaged.into_iter().chain(failed).map(|what| Self { segment: segment.id, what }).collect()
    }
}

/// What was gone through of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Oldest first.
    pub segments: Vec<SegmentId>,
    pub unread: Vec<Unread>,
}
