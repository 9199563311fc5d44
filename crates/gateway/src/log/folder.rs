//! The folder of a log: whoever holds its lock file owns it.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{error::LogError, frame::SegmentId};

const LOCK_FILE: &str = "log.lock";
/// Where whoever reads ended segments may put what it makes of them; emptied when the log is opened.
const SCRATCH_FOLDER: &str = "sealing";

/// A folder that is ours for as long as this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Also remembers the greatest segment id ever given.
    lock: File,
}

impl Folder {
    /// Makes the folder if need be, and takes it.
    pub fn take(path: &Path) -> Result<Self, LogError> {
        create(path).map_err(|source| LogError::io("create", path, source))?;
        let folder = Self { path: path.to_owned(), lock: lock(path)? };
        folder.clear_scratch()?;
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the greatest segment id that was ever given; removed segments are known only from here.
    pub fn last_segment(&self) -> Result<SegmentId, LogError> {
        let mut bytes = [0; 16];
        match self.lock.read_exact_at(&mut bytes, 0) {
            Ok(()) => {
                let text = std::str::from_utf8(&bytes).unwrap_or("");
                Ok(SegmentId::from_str_radix(text, 16).unwrap_or(0))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            Err(source) => Err(LogError::io("read", &self.path.join(LOCK_FILE), source)),
        }
    }

    pub fn remember_last_segment(&self, segment: SegmentId) -> io::Result<()> {
        self.lock.write_all_at(format!("{segment:016x}").as_bytes(), 0)?;
        self.lock.sync_data()
    }

    fn clear_scratch(&self) -> Result<(), LogError> {
        let scratch = scratch(&self.path);
        match std::fs::remove_dir_all(&scratch) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LogError::io("clear", &scratch, source)),
            _ => Ok(()),
        }
    }
}

/// Makes a folder that survives a loss of power: segments that are on disk in it are lost with its name.
fn create(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// The scratch folder of a log's directory.
pub fn scratch(directory: &Path) -> PathBuf {
    directory.join(SCRATCH_FOLDER)
}

fn lock(directory: &Path) -> Result<File, LogError> {
    let path = directory.join(LOCK_FILE);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| LogError::io("open", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(LogError::io("lock", &path, source)),
    }
}
