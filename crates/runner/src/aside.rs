//! Puts aside what files hold before a run changes them, in a folder that the caller names.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd, RawFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::capture::Stamp;

/// Largest file that is copied: at the speed of a disk, the run waits for it.
const COPIED_BYTES_MAX: u64 = 1 << 30;
/// All copies of a run together.
const COPIES_BYTES_MAX: u64 = 4 << 30;

/// What is about to happen to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is opened to be written.
    Content,
    /// It is opened to be read and written.
    ContentThatIsRead,
    /// It gets another name, and what it holds flows into that.
    Name,
    /// Its name goes, or is given to another file.
    Removal,
}

/// A file's content from before a change.
#[derive(Debug, Clone)]
pub(crate) struct PutAside {
    pub path: PathBuf,
    /// The same, as this process finds it.
    found_at: PathBuf,
    /// What `found_at` leads through.
    _folder: Arc<File>,
    /// What the file looked like.
    pub stamp: Stamp,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Copy,
    /// Another name of the same file, which whoever has it open can still write to.
    Link,
}

impl PutAside {
    /// Whether it is still what it was when it was put aside.
    pub fn is_whole(&self) -> bool {
        let looks_equal = |now: Stamp| now.size == self.stamp.size && now.mtime_ns == self.stamp.mtime_ns;
        self.how == How::Copy || fs::metadata(&self.found_at).is_ok_and(|now| looks_equal(Stamp::of(&now)))
    }
}

/// The folder and what it may still take.
pub(crate) struct Aside {
    folder: PathBuf,
    /// It is reached by this, also from a file tree in which it is not.
    open: Option<Arc<File>>,
    files: u64,
    bytes_left: u64,
}

impl Aside {
    pub fn new(folder: PathBuf) -> Self {
        // one that is not there keeps nothing, which shows with the first file
        let open = File::open(&folder).ok().map(Arc::new);
        Self { folder, open, files: 0, bytes_left: COPIES_BYTES_MAX }
    }

    /// What must stay open.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.open.as_ref().map(|folder| folder.as_raw_fd())
    }

    /// Keeps a regular file; `None` if it is none, is too large, or can't be read.
    pub fn put(&mut self, path: &Path, change: Change) -> Option<PutAside> {
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let stamp = Stamp::of(&metadata);
        let name = self.files.to_string();
        let folder = self.open.clone()?;
        let target = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(&name);
        let kept = PutAside {
            path: self.folder.join(&name),
            found_at: target.clone(),
            _folder: folder,
            stamp,
            how: How::Copy,
        };
        self.files += 1;
        // only a file without other names is out of reach once its name is gone
        let may_link = matches!(change, Change::Name | Change::Removal) && metadata.nlink() == 1;
        if may_link && fs::hard_link(path, &target).is_ok() {
            return Some(PutAside { how: How::Link, ..kept });
        }
        if stamp.size > COPIED_BYTES_MAX.min(self.bytes_left) || copy(path, &target, stamp).is_err() {
            // what was begun is of no use; that it can't be removed harms nobody, the folder goes as a whole
            _ = fs::remove_file(&target);
            return None;
        }
        self.bytes_left -= stamp.size;
        Some(kept)
    }
}

/// Copies a file that must not change meanwhile; where the file system can share blocks, they are shared.
fn copy(path: &Path, target: &Path, stamp: Stamp) -> io::Result<()> {
    let mut source = File::open(path)?;
    io::copy(&mut source, &mut File::create_new(target)?)?;
    if Stamp::of(&source.metadata()?) == stamp { Ok(()) } else { Err(io::Error::other("it changed meanwhile")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_outlives_every_change() {
        let folder = tempfile::tempdir().unwrap();
        let aside = folder.path().join("kept");
        fs::create_dir(&aside).unwrap();
        for change in [Change::Content, Change::ContentThatIsRead, Change::Name, Change::Removal] {
            let path = folder.path().join("a");
            fs::write(&path, "old").unwrap();
            let kept = Aside::new(tempfile::tempdir_in(&aside).unwrap().keep()).put(&path, change).unwrap();
            fs::remove_file(&path).unwrap();
            fs::write(&path, "new").unwrap();
            assert!(kept.is_whole());
            assert_eq!(fs::read_to_string(&kept.path).unwrap(), "old", "{change:?}");
        }
    }

    #[test]
    fn a_second_name_that_is_written_to_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        let mut aside = Aside::new(folder.path().to_owned());
        let kept = aside.put(&path, Change::Name).unwrap();
        fs::write(&path, "longer").unwrap();
        assert!(!kept.is_whole());
        assert!(aside.put(folder.path(), Change::Removal).is_none(), "a folder is no file");
    }
}
