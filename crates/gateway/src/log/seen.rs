//! What was gone through of a log, and what of it can't be read.

use super::frame::SegmentId;

/// A part of a segment that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub segment: SegmentId,
    pub what: String,
}

/// What was gone through of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Oldest first.
    pub segments: Vec<SegmentId>,
    pub unread: Vec<Unread>,
}
