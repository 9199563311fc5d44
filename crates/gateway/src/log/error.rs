//! What can go wrong with a log and with a record.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::frame::{PAYLOAD_BYTES_MAX, SegmentId};

/// Why the log can't be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("cannot {act} `{}`: {source}", path.display())]
    Io { act: &'static str, path: PathBuf, source: io::Error },
    #[error("log `{}` is in use by another process", .0.display())]
    InUse(PathBuf),
    #[error("log segment `{}` is damaged at byte {offset}", path.display())]
    Corrupt { path: PathBuf, offset: u64 },
    #[error("the log has no ended segment {0:016x}")]
    NoSuchSegment(SegmentId),
}

impl LogError {
    pub fn io(act: &'static str, path: &Path, source: io::Error) -> Self {
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
    #[error("prediction record of {bytes} bytes is longer than {} bytes", PAYLOAD_BYTES_MAX)]
    TooLarge { bytes: usize },
    #[error("prediction record cannot be written as JSON: {0}")]
    Unwritable(String),
}
