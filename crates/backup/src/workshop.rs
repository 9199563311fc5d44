//! Room for a backup that is being made, in the home: one at a time, and nothing of one that was cut short stays.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use stemma_core::{ErrorKind, Problem};

use crate::problem::unusable;

const LOCK_FILE: &str = "lock";
const SCRATCH: &str = "scratch";

/// A folder that is ours for as long as this lives, and empty.
pub struct Workshop {
    scratch: PathBuf,
    /// Its lock dies with the process.
    _lock: File,
}

impl Workshop {
    /// Takes the room in a folder, which is made if need be (mode 0700).
    pub fn take(folder: &Path) -> Result<Self, Problem> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| unusable(folder, &error))?;
        let path = folder.join(LOCK_FILE);
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = lock.map_err(|error| unusable(&path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("`{}` is in use: another command is at work there", folder.display());
                return Err(Problem::new(ErrorKind::Conflict, message).hint("wait until it has ended"));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(&path, &error)),
        }
        let scratch = folder.join(SCRATCH);
        remove(&scratch)?;
        DirBuilder::new().mode(0o700).create(&scratch).map_err(|error| unusable(&scratch, &error))?;
        Ok(Self { scratch, _lock: lock })
    }

    /// An empty folder of this name within it.
    pub fn fresh(&self, name: &str) -> Result<PathBuf, Problem> {
        let folder = self.scratch.join(name);
        remove(&folder)?;
        DirBuilder::new().mode(0o700).create(&folder).map_err(|error| unusable(&folder, &error))?;
        Ok(folder)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // what stays is removed by the next one
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

fn remove(folder: &Path) -> Result<(), Problem> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(folder, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_at_a_time_and_it_begins_empty() {
        let folder = tempfile::tempdir().unwrap();
        let first = Workshop::take(folder.path()).unwrap();
        let made = first.fresh("a").unwrap();
        fs::write(made.join("x"), "x").unwrap();
        assert_eq!(Workshop::take(folder.path()).err().unwrap().kind, ErrorKind::Conflict);
        assert!(!first.fresh("a").unwrap().join("x").exists());
    }

    #[test]
    fn what_a_killed_one_left_goes() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("scratch/old")).unwrap();
        let workshop = Workshop::take(folder.path()).unwrap();
        assert!(!folder.path().join("scratch/old").exists());
        drop(workshop);
        assert!(!folder.path().join("scratch").exists());
    }
}
