//! What is asked of a collection, and what it says it did.

use std::{
    io,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use stemma_core::Digest;

use super::sizes::ContentSize;
use crate::damage::Damage;

/// How long garbage is kept after it was first seen, unless the caller says otherwise.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads what is needed: blobs and trees. It may be asked more than once, and must read anew each time.
pub type Roots<'a> = dyn FnMut() -> io::Result<Vec<Digest>> + 'a;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcOptions {
    /// Garbage is removed once it has been garbage for so long. With none, all of it is marked and removed in one go,
    /// and only leases protect what other processes are adding.
    pub grace: Duration,
    pub now: SystemTime,
}

impl GcOptions {
    pub fn at(now: SystemTime) -> Self {
        Self { grace: GRACE_DEFAULT, now }
    }
}

/// How much of something there is, in records and in bytes on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub records: u64,
    pub bytes: u64,
}

impl Amount {
    pub(super) fn add(&mut self, bytes: u64) {
        self.records += 1;
        self.bytes += bytes;
    }

    pub(super) fn add_all(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

/// What a collection did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcReport {
    /// Contents that the caller needs, each counted once.
    pub roots: u64,
    /// Needed contents of which nothing is here: they may never have been fetched.
    pub absent: u64,
    /// What is needed.
    pub live: Amount,
    /// What is not, with superfluous copies: the sum of the four below, before anything was removed.
    pub garbage: Amount,
    /// Garbage that was not known as such before; its grace begins now.
    pub marked: Amount,
    /// Garbage whose grace is not over, or that somebody who adds content may have taken for present.
    pub waiting: Amount,
    /// Garbage that could go, but lies in packs that are nearly all needed, are being written to, or are damaged.
    pub kept: Amount,
    /// Garbage that was removed (in a plan: would be).
    pub freed: Amount,
    /// What had a mark and is needed again.
    pub unmarked: Amount,
    pub packs_removed: u64,
    /// Bytes that were copied into other packs because they lay beside garbage.
    pub bytes_copied: u64,
    /// Packs that were left alone because somebody writes to them.
    pub packs_busy: u64,
    /// Leases of others when the collection began: as long as one lives, later marks wait.
    pub leases: u64,
    /// Blobs and trees that nobody needs, largest first, unless a tree that nobody needs either has them.
    pub contents: Vec<ContentSize>,
    /// How many such contents there are, if they are too many to be listed.
    pub contents_total: u64,
    /// Records that could not be copied. Their packs were left as they are.
    pub damaged: Vec<Damage>,
}

/// How far a collection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GcProgress {
    /// Contents whose parts have been looked up.
    Reading { contents: u64 },
    /// Packs rewritten or removed, of so many.
    Sweeping { packs: u64, total: u64 },
}
