//! What the file system tells of a file without reading it.

use std::{
    fs::{File, Metadata},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::Duration,
};

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use crate::error::{IoContext as _, Result, StoreError};

/// What a file looked like; equal stamps mean "not changed" as far as the file system can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileStamp {
    pub device: u64,
    pub inode: u64,
    pub size: u64,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
}

impl FileStamp {
    pub fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            mtime_ns: nanos(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: nanos(meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// Refuses what is not a regular file.
    pub(crate) fn of_open(file: &File, path: &Path) -> Result<Self> {
        let meta = file.metadata().at(path)?;
        if !meta.is_file() {
            return Err(StoreError::refused(path, "it is not a regular file"));
        }
        Ok(Self::of(&meta))
    }

    /// When the file was changed, by all that its file system tells. Only `ctime` can't be set by anybody, but some file
    /// systems keep something else there.
    pub fn changed_ns(&self) -> i64 {
        self.mtime_ns.max(self.ctime_ns)
    }

    pub(crate) fn of_stat(stat: &rustix::fs::Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size.cast_unsigned(),
            mtime_ns: nanos(stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
            ctime_ns: nanos(stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
        }
    }
}

/// A time to compare stamps with, by the clock that the kernel stamps files with. That clock stands still for a few
/// milliseconds at a time: by a finer one, a file could be changed after a moment and still bear a stamp from before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    pub ns: i64,
}

impl Moment {
    pub fn now() -> Self {
        Self { ns: of_clock(clock_gettime(ClockId::RealtimeCoarse)) }
    }

    /// By the clock that never stands still: no stamp made on this machine by now is later, while a stamp may well be some
    /// ticks ahead of [`Self::now`] on newer kernels.
    pub fn precise() -> Self {
        Self { ns: of_clock(clock_gettime(ClockId::Realtime)) }
    }

    /// The moment to begin the reading of a file at.
    ///
    /// A long file that was changed in this very tick of the clock is left alone until the next one: what is read now
    /// could not be told from what is written a moment later, and it would have to be read once more to know.
    pub fn to_read(stamp: &FileStamp) -> Self {
        if stamp.size >= LONG_FILE {
            for _ in 0..WAITS_MAX {
                let ahead = stamp.changed_ns().saturating_add(tick_ns()).saturating_sub(Self::now().ns);
                // a stamp far ahead is no matter of ticks
                if !(0..=WAITS_MAX * tick_ns()).contains(&ahead) {
                    break;
                }
                std::thread::sleep(Duration::from_nanos(tick_ns().cast_unsigned()));
            }
        }
        Self::now()
    }
}

/// Reading so much takes longer than to wait for the next tick.
const LONG_FILE: u64 = 16 << 20;
const WAITS_MAX: i64 = 10;

/// How long the clock that files are stamped with stands still.
pub fn tick_ns() -> i64 {
    of_clock(clock_getres(ClockId::RealtimeCoarse)).clamp(1_000_000, 20_000_000)
}

fn of_clock(time: Timespec) -> i64 {
    nanos(time.tv_sec, time.tv_nsec)
}

fn nanos(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}
