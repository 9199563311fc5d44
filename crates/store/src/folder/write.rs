//! From the store to the file system, by directory handles only: no path is resolved twice, no link followed.
//!
//! Each file is verified while it is written and appears whole or not at all. Nothing is synced: after a power loss the
//! content is still in the store.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::File,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    path::Path,
    sync::{Arc, LazyLock},
};

use rustix::{
    fs::{
        AtFlags, FallocateFlags, Mode, OFlags, fallocate, fstat, linkat, mkdirat, openat, renameat, statat, symlinkat,
        unlinkat,
    },
    io::Errno,
};
use stemma_core::{Digest, name::TreePath};

use super::walk::DIRECTORY;
use crate::{
    blob::BlobReader,
    error::{IoContext as _, Result, StoreError},
    fs::{FileStamp, direct::DirectWriter},
    holdings::Holdings,
    pack::Kind,
    threads::in_order,
    tree::{OrderCheck, TreeEntry, tree_entries},
};

const THREADS_MAX: usize = 8;
/// Entries that one job writes.
const JOB_ENTRIES: usize = 32;
/// Directories that one job may hold open.
const JOB_DIRECTORIES: usize = 8;
/// Files of a tree that are looked up at a time.
const REQUIRED_AT_ONCE: usize = 10_000;
/// Room is asked for before longer files are written.
const PREALLOCATED_MIN: u64 = 1 << 20;

const PLAIN_FILE: Mode = Mode::from_raw_mode(0o666);
const EXECUTABLE_FILE: Mode = Mode::from_raw_mode(0o777);
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o777);

pub(crate) type Entry = (TreePath, TreeEntry);

/// Writes a blob to a file, verified; the parent folder must exist. The file appears whole or not at all.
pub(crate) fn write_blob(holdings: &Holdings, digest: &Digest, dest: &Path) -> Result<()> {
    let reader = BlobReader::open(holdings.clone(), Kind::Blob, digest)?;
    let name = dest.file_name().ok_or_else(|| StoreError::refused(dest, "it names no file"))?;
    let parent = match dest.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let parent = rustix::fs::open(parent, DIRECTORY, Mode::empty()).at(parent)?;
    write_file(&reader, parent.as_fd(), name, dest, PLAIN_FILE).map(drop)
}

/// Writes a tree into a folder, which is made if its parent exists.
pub(crate) fn write_tree(holdings: &Holdings, digest: &Digest, dest: &Path) -> Result<()> {
    require_tree(holdings, digest)?;
    make_directory(rustix::fs::CWD, dest.as_os_str(), dest)?;
    check_folding(holdings, digest, dest)?;
    let mut entries = tree_entries(holdings, digest)?.ok_or(StoreError::NotFound(*digest))?;
    write_entries(holdings, dest, &mut entries, &mut |_, _| Ok(()))
}

/// Fails if a tree or anything in it is not here: rather nothing than half a folder.
pub(crate) fn require_tree(holdings: &Holdings, digest: &Digest) -> Result<()> {
    let mut wanted = Vec::new();
    for entry in tree_entries(holdings, digest)?.ok_or(StoreError::NotFound(*digest))? {
        wanted.extend(entry?.1.digest());
        if wanted.len() == REQUIRED_AT_ONCE {
            holdings.require(Kind::Blob, wanted.iter())?;
            wanted.clear();
        }
    }
    holdings.require(Kind::Blob, wanted.iter())
}

/// Refuses a tree with names that the folder's file system takes for one and the same.
pub(crate) fn check_folding(holdings: &Holdings, digest: &Digest, folder: &Path) -> Result<()> {
    if !folds_case(folder)? {
        return Ok(());
    }
    let mut folded = Folded::default();
    for entry in tree_entries(holdings, digest)?.ok_or(StoreError::NotFound(*digest))? {
        folded.check(&entry?.0).map_err(|(path, reason)| StoreError::refused(folder.join(path), reason))?;
    }
    Ok(())
}

/// Writes entries of a tree, in order, into a folder that exists.
pub(crate) fn write_entries(
    holdings: &Holdings,
    folder: &Path,
    entries: &mut dyn Iterator<Item = Result<Entry>>,
    written: &mut dyn FnMut(&Entry, Option<FileStamp>) -> Result<()>,
) -> Result<()> {
    let mut directories = OpenDirectories::open(folder, Missing::Make)?;
    let mut order = OrderCheck::default();
    let mut next = || next_job(&mut directories, &mut order, entries);
    let write = |job: Job| -> Result<Vec<Written>> {
        job.into_iter().map(|(parent, entry)| Ok((write(holdings, folder, &parent, &entry)?, entry))).collect()
    };
    let mut take = |done: Result<Vec<Written>>| done?.iter().try_for_each(|(stamp, entry)| written(entry, *stamp));
    in_order(THREADS_MAX, &mut next, &write, &mut take)
}

fn write(holdings: &Holdings, folder: &Path, parent: &OwnedFd, (path, entry): &Entry) -> Result<Option<FileStamp>> {
    let shown = folder.join(path.as_str());
    let name = OsStr::new(path.file_name());
    match entry {
        TreeEntry::File { digest, size, executable } => {
            let reader = BlobReader::open(holdings.clone(), Kind::Blob, digest)?;
            if reader.len() != *size {
                return Err(StoreError::corrupt(*digest, "the tree gives it another size"));
            }
            let mode = if *executable { EXECUTABLE_FILE } else { PLAIN_FILE };
            write_file(&reader, parent.as_fd(), name, &shown, mode).map(Some)
        }
        TreeEntry::Symlink { target } => {
            let temporary = temporary_name();
            symlinkat(target.as_str(), parent, temporary.as_str()).at(&shown)?;
            put_in_place(parent.as_fd(), &temporary, name, &shown)?;
            Ok(None)
        }
        TreeEntry::EmptyDirectory => {
            make_directory(parent.as_fd(), name, &shown)?;
            openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).at(&shown)?;
            Ok(None)
        }
    }
}

/// Takes files, links and empty directories out of a folder, and directories that have nothing left in them.
pub fn remove_entries(folder: &Path, paths: &[TreePath]) -> std::result::Result<(), StoreError> {
    let mut directories = OpenDirectories::open(folder, Missing::Accept)?;
    for path in paths.iter().rev() {
        let Some(parent) = directories.parent(path)? else {
            continue;
        };
        let shown = folder.join(path.as_str());
        match unlinkat(&parent, path.file_name(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR | Errno::PERM) => remove_directory(&parent, path.file_name(), &shown)?,
            Err(errno) => return Err(StoreError::io(&shown, errno.into())),
        }
        directories.remove_empty(path)?;
    }
    Ok(())
}

/// Leaves a directory that is not empty.
fn remove_directory(parent: &OwnedFd, name: &str, shown: &Path) -> Result<()> {
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
        Err(errno) => Err(StoreError::io(shown, errno.into())),
    }
}

/// Entries to write, each with the directory it belongs in.
type Job = Vec<(Arc<OwnedFd>, Entry)>;

fn next_job(
    directories: &mut OpenDirectories<'_>,
    order: &mut OrderCheck,
    entries: &mut dyn Iterator<Item = Result<Entry>>,
) -> Result<Option<Job>> {
    let mut job = Job::new();
    let mut opened = 0;
    while job.len() < JOB_ENTRIES && opened < JOB_DIRECTORIES {
        let Some(entry) = entries.next() else {
            break;
        };
        let (path, entry) = entry?;
        order.check(&path, &entry).map_err(|reason| StoreError::refused(path.as_str(), reason))?;
        let Some(parent) = directories.parent(&path)? else {
            continue; // never: what is missing is made
        };
        if job.last().is_none_or(|(held, _)| !Arc::ptr_eq(held, &parent)) {
            opened += 1;
        }
        job.push((parent, (path, entry)));
    }
    Ok((!job.is_empty()).then_some(job))
}

/// An entry, and what its file looks like now.
type Written = (Option<FileStamp>, Entry);

/// What to do about a directory that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Make,
    Accept,
}

/// The directories down to the last path, opened one component at a time.
struct OpenDirectories<'a> {
    folder: &'a Path,
    root: Arc<OwnedFd>,
    held: Vec<(String, Arc<OwnedFd>)>,
    missing: Missing,
}

impl<'a> OpenDirectories<'a> {
    fn open(folder: &'a Path, missing: Missing) -> Result<Self> {
        let root = rustix::fs::open(folder, DIRECTORY, Mode::empty()).at(folder)?;
        Ok(Self { folder, root: Arc::new(root), held: Vec::new(), missing })
    }

    /// The directory that a path lies in; `None` if there is none and none is to be made.
    fn parent(&mut self, path: &TreePath) -> Result<Option<Arc<OwnedFd>>> {
        let components: Vec<&str> = path.components().collect();
        let wanted = &components[..components.len() - 1];
        let common = self.held.iter().zip(wanted).take_while(|((held, _), name)| held == *name).count();
        self.held.truncate(common);
        for (depth, name) in wanted.iter().enumerate().skip(common) {
            let above = self.innermost();
            let shown = self.folder.join(wanted[..=depth].join("/"));
            if self.missing == Missing::Make {
                make_directory(above.as_fd(), OsStr::new(name), &shown)?;
            }
            let handle = match openat(&above, *name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
                Ok(handle) => handle,
                Err(Errno::NOENT) if self.missing == Missing::Accept => return Ok(None),
                Err(Errno::LOOP | Errno::NOTDIR) => {
                    return Err(StoreError::refused(&shown, "it is in the way of a directory"));
                }
                Err(errno) => return Err(StoreError::io(&shown, errno.into())),
            };
            self.held.push(((*name).to_owned(), Arc::new(handle)));
        }
        Ok(Some(self.innermost()))
    }

    fn innermost(&self) -> Arc<OwnedFd> {
        Arc::clone(self.held.last().map_or(&self.root, |(_, handle)| handle))
    }

    /// Takes away the directories above a path as long as they are empty.
    fn remove_empty(&mut self, path: &TreePath) -> Result<()> {
        let depth = path.components().count() - 1;
        for (held, name) in (0..depth).rev().zip(path.components().collect::<Vec<_>>()[..depth].iter().rev()) {
            let above = if held == 0 { &self.root } else { &self.held[held - 1].1 };
            match unlinkat(above, *name, AtFlags::REMOVEDIR) {
                Ok(()) => self.held.truncate(held),
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }
}

fn make_directory(parent: BorrowedFd<'_>, name: &OsStr, shown: &Path) -> Result<()> {
    match mkdirat(parent, name, DIRECTORY_MODE) {
        Err(Errno::EXIST) => Ok(()),
        made => made.at(shown),
    }
}

fn write_file(
    reader: &BlobReader,
    parent: BorrowedFd<'_>,
    name: &OsStr,
    shown: &Path,
    mode: Mode,
) -> Result<FileStamp> {
    let mut new = NewFile::create(parent, mode, shown)?;
    make_room(&new.file, reader.len(), shown)?;
    let mut output = DirectWriter::starting_at(0);
    // the digest is checked before this returns
    reader.copy_to(&mut |chunk| output.write(&new.file, chunk).at(shown))?;
    output.flush(&new.file).at(shown)?;
    new.put_in_place(name, shown)?;
    // of the handle: what was renamed into the place meanwhile is not what was written
    Ok(FileStamp::of_stat(&fstat(&new.file).at(shown)?))
}

/// A file that is being written. If it is dropped before it is at its place, nothing of it stays.
struct NewFile<'a> {
    parent: BorrowedFd<'a>,
    file: File,
    /// `None` while it has no name at all, which spares the directory an entry: threads that write into one directory
    /// wait for each other there.
    temporary: Option<String>,
}

impl<'a> NewFile<'a> {
    fn create(parent: BorrowedFd<'a>, mode: Mode, shown: &Path) -> Result<Self> {
        // not every file system can do without a name
        let unnamed = if *CAN_NAME_LATER { Self::create_unnamed(parent, mode).ok() } else { None };
        unnamed.map_or_else(|| Self::create_named(parent, mode).at(shown), Ok)
    }

    fn create_unnamed(parent: BorrowedFd<'a>, mode: Mode) -> rustix::io::Result<Self> {
        let file = openat(parent, ".", OFlags::WRONLY | OFlags::CLOEXEC | OFlags::TMPFILE, mode)?;
        Ok(Self { parent, file: file.into(), temporary: None })
    }

    fn create_named(parent: BorrowedFd<'a>, mode: Mode) -> rustix::io::Result<Self> {
        let temporary = temporary_name();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(parent, temporary.as_str(), flags, mode)?;
        Ok(Self { parent, file: file.into(), temporary: Some(temporary) })
    }

    /// Gives it its name, in place of what has that name now.
    fn put_in_place(&mut self, name: &OsStr, shown: &Path) -> Result<()> {
        if self.temporary.is_none() {
            match self.link(name) {
                Err(Errno::EXIST) => {
                    let temporary = temporary_name();
                    self.link(OsStr::new(&temporary)).at(shown)?;
                    self.temporary = Some(temporary);
                }
                linked => return linked.at(shown),
            }
        }
        let temporary = self.temporary.as_deref().expect("it was set above");
        renameat(self.parent, temporary, self.parent, name).at(shown)?;
        self.temporary = None;
        Ok(())
    }

    fn link(&self, name: &OsStr) -> rustix::io::Result<()> {
        let handle = format!("{HANDLES}/{}", self.file.as_raw_fd());
        linkat(rustix::fs::CWD, handle, self.parent, name, AtFlags::SYMLINK_FOLLOW)
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // what went wrong before tells more than a failure to clean up
            let _ = unlinkat(self.parent, temporary.as_str(), AtFlags::empty());
        }
    }
}

/// Where a process finds the files that it has open; a file without a name gets one by way of it.
const HANDLES: &str = "/proc/self/fd";
static CAN_NAME_LATER: LazyLock<bool> = LazyLock::new(|| Path::new(HANDLES).is_dir());

/// Finds out before a long file is written that the disk is too full for it.
fn make_room(file: &File, len: u64, shown: &Path) -> Result<()> {
    if len < PREALLOCATED_MIN {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::empty(), 0, len) {
        Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(StoreError::io(shown, errno.into())),
        // not every file system can
        _ => Ok(()),
    }
}

fn put_in_place(parent: BorrowedFd<'_>, temporary: &str, name: &OsStr, shown: &Path) -> Result<()> {
    renameat(parent, temporary, parent, name).map_err(|errno| {
        let _ = unlinkat(parent, temporary, AtFlags::empty());
        StoreError::io(shown, errno.into())
    })
}

/// A name beside the final one.
fn temporary_name() -> String {
    format!(".stemma-{}.tmp~", uuid::Uuid::now_v7().simple())
}

/// Whether a file system takes `a` and `A` for one name in this folder.
fn folds_case(folder: &Path) -> Result<bool> {
    let handle = rustix::fs::open(folder, DIRECTORY, Mode::empty()).at(folder)?;
    let name = temporary_name();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(&handle, name.as_str(), flags, Mode::from_raw_mode(0o600)).at(folder)?;
    let folds = statat(&handle, name.to_uppercase().as_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok();
    unlinkat(&handle, name.as_str(), AtFlags::empty()).at(folder)?;
    Ok(folds)
}

/// Paths and the directories above them in lower case, with how they are really spelt.
#[derive(Default)]
struct Folded(HashMap<String, String>);

impl Folded {
    fn check(&mut self, path: &TreePath) -> std::result::Result<(), (String, String)> {
        let text = path.as_str();
        let ends = text.match_indices('/').map(|(slash, _)| slash).chain([text.len()]);
        for end in ends {
            let spelt = &text[..end];
            let held = self.0.entry(spelt.to_lowercase()).or_insert_with(|| spelt.to_owned());
            if held != spelt {
                let reason = format!("this file system takes its name for the same as `{held}`");
                return Err((spelt.to_owned(), reason));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_only_are_found_also_among_directories() {
        let mut folded = Folded::default();
        for path in ["a/b", "a/c", "É", "x"] {
            folded.check(&path.parse().unwrap()).unwrap();
        }
        for path in ["A/d", "a/B", "é", "X/y"] {
            assert!(folded.check(&path.parse().unwrap()).is_err(), "{path}");
        }
    }

    #[test]
    fn a_file_is_at_its_place_whole_or_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let parent = rustix::fs::open(folder.path(), DIRECTORY, Mode::empty()).unwrap();
        let names =
            || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        for create in [NewFile::create_unnamed, NewFile::create_named] {
            drop(create(parent.as_fd(), PLAIN_FILE).unwrap());
            assert!(names().is_empty());
            for content in ["first", "second"] {
                let mut new = create(parent.as_fd(), PLAIN_FILE).unwrap();
                rustix::io::write(&new.file, content.as_bytes()).unwrap();
                new.put_in_place(OsStr::new("a"), Path::new("a")).unwrap();
                assert_eq!(std::fs::read_to_string(folder.path().join("a")).unwrap(), content);
                assert_eq!(names(), ["a"]);
            }
            std::fs::remove_file(folder.path().join("a")).unwrap();
            std::fs::create_dir(folder.path().join("a")).unwrap();
            assert!(create(parent.as_fd(), PLAIN_FILE).unwrap().put_in_place(OsStr::new("a"), Path::new("a")).is_err());
            assert_eq!(names(), ["a"]);
            std::fs::remove_dir(folder.path().join("a")).unwrap();
        }
    }

    #[test]
    fn this_file_system_tells_names_apart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!folds_case(folder.path()).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
