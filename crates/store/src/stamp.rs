//! What the file system tells of a file without reading it.

use std::{
    fs::{File, Metadata},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

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

fn nanos(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}
