//! What requests hand to the writer, and the rows that they were given for it.

use std::collections::HashMap;

use tokio::sync::oneshot;

use super::{
    error::AppendError,
    frame::{SEGMENT_HEADER_BYTES, SegmentId},
};

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

pub type Waiter = oneshot::Sender<Result<(), AppendError>>;

#[derive(Debug)]
pub struct Intake {
    /// `None` after a failed write, until somebody asks for a new segment.
    pub open: Option<Planned>,
    pub queue: Vec<Work>,
    pub queued_bytes: usize,
    pub reopen: Vec<Waiter>,
    pub last_segment: SegmentId,
    pub closing: bool,
}

/// The open segment as it will be once the queue is written.
#[derive(Debug)]
pub struct Planned {
    pub segment: SegmentId,
    bytes: u64,
    pub next_rows: HashMap<u16, u32>,
}

#[derive(Debug)]
pub enum Work {
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
    pub fn new(segment: SegmentId) -> Self {
        Self { segment, bytes: SEGMENT_HEADER_BYTES as u64, next_rows: HashMap::new() }
    }

    pub fn has_room(&self, ordinal: u16, frame_bytes: u64, options: &LogOptions) -> bool {
        let fits = self.bytes + frame_bytes <= options.segment_bytes_max;
        let last_row = self.next_rows.get(&ordinal) == Some(&u32::MAX);
        self.next_rows.is_empty() || (fits && !last_row)
    }

    pub fn take_row(&mut self, ordinal: u16, frame_bytes: u64) -> u32 {
        let next = self.next_rows.entry(ordinal).or_default();
        let row = *next;
        *next += 1;
        self.bytes += frame_bytes;
        row
    }
}

impl Intake {
    pub fn new(last_segment: SegmentId) -> Self {
        Self { open: None, queue: Vec::new(), queued_bytes: 0, reopen: Vec::new(), last_segment, closing: false }
    }
}
