//! Locks that nobody waits for long, and files that are locked for as long as their maker lives.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::error::{IoContext as _, Result, StoreError};

const PATIENCE: Duration = Duration::from_millis(100);
const STEP: Duration = Duration::from_millis(1);

/// Takes a lock unless somebody keeps it for longer than a moment.
///
/// A process that this one starts has all its open files, and with them the locks that were just released, until it runs
/// its own program.
pub(crate) fn try_lock(file: &File) -> std::result::Result<(), TryLockError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(STEP),
            outcome => return outcome,
        }
    }
}

/// Whether a file that is open has lost its name: somebody removed it before it was locked.
pub(crate) fn is_unlinked(file: &File, path: &Path) -> Result<bool> {
    Ok(file.metadata().at(path)?.nlink() == 0)
}

/// Removes a file that its maker locks for life, unless they live or somebody else has removed it.
pub(crate) fn remove_if_dead(path: &Path) -> Result<()> {
    match File::open(path) {
        Ok(file) if file.try_lock().is_ok() => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(path, error)),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_removed_when_its_maker_is_dead() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let maker = File::create(&path).unwrap();
        maker.lock().unwrap();
        remove_if_dead(&path).unwrap();
        assert!(path.exists() && !is_unlinked(&maker, &path).unwrap());
        maker.unlock().unwrap();
        remove_if_dead(&path).unwrap();
        assert!(!path.exists() && is_unlinked(&maker, &path).unwrap());
        remove_if_dead(&path).unwrap();
    }

    #[test]
    fn a_lock_that_is_let_go_soon_is_waited_for_and_one_that_is_kept_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let holder = file.reopen().unwrap();
        holder.lock().unwrap();
        assert!(matches!(try_lock(file.as_file()), Err(TryLockError::WouldBlock)));
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(STEP * 5);
                holder.unlock().unwrap();
            });
            assert!(try_lock(file.as_file()).is_ok());
        });
    }
}
