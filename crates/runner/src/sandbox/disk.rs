//! What a contained program takes up on the disk.

use std::{
    collections::HashSet,
    ffi::CString,
    fs, io, mem,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use super::{group, outcome::Ending, policy::Sandbox};

const BLOCK_BYTES: u64 = 512;
/// Entries that its folders may have together: each costs room of its own, and time to be looked at.
const ENTRIES_MAX: u64 = 2_000_000;
/// What a file system must have left, at the least, so that others can go on.
const LEFT_BYTES_MIN: u64 = 512 << 20;
/// A small file system must have this part left.
const LEFT_PART: u64 = 50;

/// Which limit of the disk is exceeded, if any, by what lies in writable folders or is open but has no name any more.
pub(crate) fn exceeded(sandbox: &Sandbox, group: i32) -> Option<Ending> {
    let mut taken = Taken { left: ENTRIES_MAX, ..Taken::default() };
    sandbox.writable.iter().for_each(|path| taken.add(path));
    taken.add_unnamed(group);
    if taken.bytes > sandbox.disk_bytes || taken.left == 0 {
        return Some(Ending::TooMuchOnDisk { limit: sandbox.disk_bytes });
    }
    let is_nearly_full = |path: &PathBuf| has_little_left(path).unwrap_or(false);
    if sandbox.writable.iter().any(is_nearly_full) {
        return Some(Ending::MachineShortOf("room on its disk"));
    }
    None
}

#[derive(Default)]
struct Taken {
    bytes: u64,
    /// Entries that may still be looked at.
    left: u64,
    /// Files with several names count once.
    seen: HashSet<(u64, u64)>,
}

impl Taken {
    /// Adds a file, or a folder with all below it; links are not followed.
    fn add(&mut self, path: &Path) {
        let mut waiting = vec![path.to_owned()];
        while let Some(path) = waiting.pop() {
            self.left = self.left.saturating_sub(1);
            let Ok(metadata) = path.symlink_metadata() else { continue };
            if self.left == 0 {
                return;
            }
            self.add_one(&metadata);
            if metadata.is_dir() {
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                waiting.extend(entries.map(|entry| entry.path()));
            }
        }
    }

    fn add_one(&mut self, metadata: &fs::Metadata) {
        if metadata.nlink() < 2 || metadata.is_dir() || self.seen.insert((metadata.dev(), metadata.ino())) {
            self.bytes = self.bytes.saturating_add(metadata.blocks() * BLOCK_BYTES);
        }
    }

    /// Adds files that the processes of a group hold open and that have no name any more, or never had one.
    fn add_unnamed(&mut self, group: i32) {
        for process in group::members(group) {
            let Ok(entries) = fs::read_dir(format!("/proc/{process}/fd")) else { continue };
            for entry in entries.flatten() {
                let Ok(metadata) = fs::metadata(entry.path()) else { continue };
                let is_unnamed = metadata.is_file() && metadata.nlink() == 0;
                if is_unnamed && self.seen.insert((metadata.dev(), metadata.ino())) {
                    self.bytes = self.bytes.saturating_add(metadata.blocks() * BLOCK_BYTES);
                }
            }
        }
    }
}

fn has_little_left(path: &Path) -> io::Result<bool> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the structure is plain data, and both outlive the call.
    let status = unsafe {
        let mut status: libc::statvfs = mem::zeroed();
        if libc::statvfs(path.as_ptr(), &raw mut status) != 0 {
            return Err(io::Error::last_os_error());
        }
        status
    };
    let (left, all) = (status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize);
    Ok(left < LEFT_BYTES_MIN.min(all / LEFT_PART))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_file_count_once_and_links_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("in"), folder.path().join("out"));
        fs::create_dir(&inside).unwrap();
        fs::write(&outside, vec![1; 1 << 20]).unwrap();
        fs::write(inside.join("a"), vec![1; 1 << 18]).unwrap();
        let bytes = || {
            let mut taken = Taken { left: ENTRIES_MAX, ..Taken::default() };
            taken.add(&inside);
            taken.bytes
        };
        let before = bytes();
        assert!(before >= 1 << 18);
        fs::hard_link(inside.join("a"), inside.join("b")).unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("c")).unwrap();
        assert!(bytes() < before + (1 << 16));
    }
}
