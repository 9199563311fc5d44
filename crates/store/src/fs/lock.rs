//! Locks that nobody waits for long.

use std::{
    fs::{File, TryLockError},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_millis(100);
const STEP: Duration = Duration::from_millis(1);

/// Takes a lock unless somebody keeps it for longer than a moment.
///
/// A process that this one starts has all its open files, and with them the locks that were just released, until it runs
/// its own program.
pub(crate) fn try_lock(file: &File) -> Result<(), TryLockError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(STEP),
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
