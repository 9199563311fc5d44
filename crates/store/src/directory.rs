//! Between trees and the file system, by directory handles only: no path is ever resolved twice, and no link followed.

use std::{
    ffi::{CStr, CString},
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, mkdirat, openat, readlinkat, renameat, statat, symlinkat, unlinkat},
    io::Errno,
};
use stemma_core::{Digest, name::TreePath};

use crate::{
    batch::Batch,
    blob::BlobReader,
    error::{IoContext as _, Result, StoreError},
    store::Store,
    tree::{DEPTH_MAX, Tree, TreeEntry, check_target, is_reserved},
};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Tree {
    /// Describes a folder and adds its files to the batch; the tree itself is not added.
    ///
    /// Refuses what a tree can't hold or must not (devices, pipes, sockets, links that lead outside, names that are no
    /// [`TreePath`], `.git` and `.stemma` folders) and files that change while they are read.
    pub fn from_directory(batch: &mut Batch, directory: &Path) -> Result<Self> {
        Self::from_directory_with_progress(batch, directory, &mut |_, _| {})
    }

    /// The same, calling `progress` with each path and the bytes of it read so far.
    pub fn from_directory_with_progress(
        batch: &mut Batch,
        directory: &Path,
        progress: &mut dyn FnMut(&TreePath, u64),
    ) -> Result<Self> {
        let handle = rustix::fs::open(directory, DIRECTORY, Mode::empty()).at(directory)?;
        let mut walk = Walk { batch, progress, tree: Self::default() };
        walk.directory(&handle, directory, None, 0)?;
        Ok(walk.tree)
    }
}

struct Walk<'a> {
    batch: &'a mut Batch,
    progress: &'a mut dyn FnMut(&TreePath, u64),
    tree: Tree,
}

impl Walk<'_> {
    fn directory(&mut self, handle: &OwnedFd, shown: &Path, at: Option<&TreePath>, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(StoreError::refused(shown, format!("it lies more than {DEPTH_MAX} directories deep")));
        }
        let names = entry_names(handle, shown)?;
        if let (true, Some(path)) = (names.is_empty(), at) {
            self.tree.entries.insert(path.clone(), TreeEntry::EmptyDirectory);
        }
        for name in names {
            let shown = shown.join(display_name(&name));
            let path = tree_path(at, &name).map_err(|reason| StoreError::refused(&shown, reason))?;
            self.entry(handle, &name, &shown, path, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, parent: &OwnedFd, name: &CStr, shown: &Path, path: TreePath, depth: usize) -> Result<()> {
        let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| gone_is_changed(errno, shown))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let open = openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
                let handle = open.map_err(|errno| gone_is_changed(errno, shown))?;
                self.directory(&handle, shown, Some(&path), depth + 1)
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let handle = openat(parent, name, flags, Mode::empty());
                let file = File::from(handle.map_err(|errno| gone_is_changed(errno, shown))?);
                self.file(file, shown, path)
            }
            FileType::Symlink => {
                let target = readlinkat(parent, name, Vec::new()).map_err(|errno| gone_is_changed(errno, shown))?;
                let target = target.into_string().map_err(|_| StoreError::refused(shown, "its target is not UTF-8"))?;
                check_target(&path, &target).map_err(|reason| StoreError::refused(shown, reason))?;
                self.tree.entries.insert(path, TreeEntry::Symlink { target });
                Ok(())
            }
            _ => Err(StoreError::refused(shown, "it is not a file, a directory or a link")),
        }
    }

    fn file(&mut self, file: File, shown: &Path, path: TreePath) -> Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        let executable = file.metadata().at(shown)?.mode() & 0o100 != 0;
        let progress = &mut self.progress;
        let info = self.batch.put_open_file(file, shown, None, &mut |done| progress(&path, done))?;
        self.tree.entries.insert(path, TreeEntry::File { digest: info.digest, size: info.size, executable });
        Ok(())
    }
}

/// A name that was listed a moment ago and is not there, or is something else, was changed meanwhile.
fn gone_is_changed(errno: Errno, shown: &Path) -> StoreError {
    match errno {
        Errno::NOENT | Errno::LOOP | Errno::NOTDIR => StoreError::Changed(shown.to_owned()),
        other => StoreError::io(shown, other.into()),
    }
}

fn entry_names(handle: &OwnedFd, shown: &Path) -> Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(handle).at(shown)? {
        let name = entry.at(shown)?.file_name().to_owned();
        if name.as_bytes() != b"." && name.as_bytes() != b".." {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn display_name(name: &CStr) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()))
}

fn tree_path(parent: Option<&TreePath>, name: &CStr) -> std::result::Result<TreePath, String> {
    let name = name.to_str().map_err(|_| "its name is not UTF-8".to_owned())?;
    if is_reserved(name) {
        return Err(format!("`{name}` is a tool's own folder"));
    }
    // the name is checked by itself first, so that it can't bring a separator of its own
    let component = TreePath::new(name).map_err(|error| error.reason.to_owned())?;
    match parent {
        None => Ok(component),
        Some(parent) => TreePath::new(format!("{parent}/{component}")).map_err(|error| error.reason.to_owned()),
    }
}

impl Store {
    /// Writes a blob to a file, verified; the parent folder must exist. The file appears whole or not at all.
    ///
    /// Nothing is synced: after a power loss the content is still in the store.
    pub fn materialize(&self, digest: &Digest, dest: &Path) -> Result<()> {
        let reader = self.open_blob(digest)?;
        let name = dest.file_name().ok_or_else(|| StoreError::refused(dest, "it names no file"))?;
        let parent = match dest.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let parent = rustix::fs::open(parent, DIRECTORY, Mode::empty()).at(parent)?;
        write_file(&reader, parent.as_fd(), name, dest, PLAIN_FILE)
    }

    /// Writes a tree into a folder, which is made if its parent exists. What is there at the tree's paths is replaced,
    /// other things stay; each file appears whole or not at all. Never writes outside of the folder: a link found
    /// where the tree has a directory is an error.
    pub fn materialize_tree(&self, digest: &Digest, dest: &Path) -> Result<()> {
        let tree = self.tree(digest)?.ok_or(StoreError::NotFound(*digest))?;
        let files = tree.entries.values().filter_map(|entry| match entry {
            TreeEntry::File { digest, .. } => Some(digest),
            TreeEntry::Symlink { .. } | TreeEntry::EmptyDirectory => None,
        });
        // rather nothing than half a folder
        self.require_blobs(files)?;
        make_directory(rustix::fs::CWD, dest.as_os_str(), dest)?;
        let root = rustix::fs::open(dest, DIRECTORY, Mode::empty()).at(dest)?;
        let mut output = Output { store: self, dest, root, held: Vec::new() };
        tree.entries.iter().try_for_each(|(path, entry)| output.write(path, entry))
    }
}

/// The folder that a tree is written to.
struct Output<'a> {
    store: &'a Store,
    dest: &'a Path,
    root: OwnedFd,
    /// The directories down to the last entry, opened.
    held: Vec<(String, OwnedFd)>,
}

impl Output<'_> {
    fn write(&mut self, path: &TreePath, entry: &TreeEntry) -> Result<()> {
        let shown = self.dest.join(path.as_str());
        let name = std::ffi::OsStr::new(path.file_name());
        let store = self.store;
        let parent = self.parent(path)?;
        match entry {
            TreeEntry::File { digest, size, executable } => {
                let reader = store.open_blob(digest)?;
                if reader.len() != *size {
                    return Err(StoreError::corrupt(*digest, "the tree gives it another size"));
                }
                let mode = if *executable { EXECUTABLE_FILE } else { PLAIN_FILE };
                write_file(&reader, parent, name, &shown, mode)
            }
            TreeEntry::Symlink { target } => {
                let temporary = temporary_name();
                symlinkat(target.as_str(), parent, temporary.as_str()).at(&shown)?;
                put_in_place(parent, &temporary, name, &shown)
            }
            TreeEntry::EmptyDirectory => {
                make_directory(parent, name, &shown)?;
                openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).at(&shown)?;
                Ok(())
            }
        }
    }

    /// Opens the directory of a path one component at a time, making what is missing.
    fn parent(&mut self, path: &TreePath) -> Result<BorrowedFd<'_>> {
        let components: Vec<&str> = path.components().collect();
        let wanted = &components[..components.len() - 1];
        let common = self.held.iter().zip(wanted).take_while(|((held, _), name)| held == *name).count();
        self.held.truncate(common);
        for (depth, name) in wanted.iter().enumerate().skip(common) {
            let above = self.held.last().map_or(&self.root, |(_, handle)| handle);
            let shown = self.dest.join(wanted[..=depth].join("/"));
            make_directory(above.as_fd(), std::ffi::OsStr::new(name), &shown)?;
            let opened = openat(above, *name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
            let handle = opened.map_err(|errno| match errno {
                Errno::LOOP | Errno::NOTDIR => StoreError::refused(&shown, "it is in the way of a directory"),
                other => StoreError::io(&shown, other.into()),
            })?;
            self.held.push(((*name).to_owned(), handle));
        }
        Ok(self.held.last().map_or(&self.root, |(_, handle)| handle).as_fd())
    }
}

const PLAIN_FILE: Mode = Mode::from_raw_mode(0o666);
const EXECUTABLE_FILE: Mode = Mode::from_raw_mode(0o777);
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o777);

fn make_directory(parent: BorrowedFd<'_>, name: &std::ffi::OsStr, shown: &Path) -> Result<()> {
    match mkdirat(parent, name, DIRECTORY_MODE) {
        Err(Errno::EXIST) => Ok(()),
        made => made.at(shown),
    }
}

fn write_file(
    reader: &BlobReader,
    parent: BorrowedFd<'_>,
    name: &std::ffi::OsStr,
    shown: &Path,
    mode: Mode,
) -> Result<()> {
    let temporary = temporary_name();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(parent, temporary.as_str(), flags, mode).at(shown)?);
    let written = crate::blob::write_blob(reader, &file, shown);
    drop(file);
    match written {
        Ok(()) => put_in_place(parent, &temporary, name, shown),
        Err(error) => {
            // the first error tells more than a failure to clean up
            let _ = unlinkat(parent, temporary.as_str(), AtFlags::empty());
            Err(error)
        }
    }
}

fn put_in_place(parent: BorrowedFd<'_>, temporary: &str, name: &std::ffi::OsStr, shown: &Path) -> Result<()> {
    renameat(parent, temporary, parent, name).map_err(|errno| {
        let _ = unlinkat(parent, temporary, AtFlags::empty());
        StoreError::io(shown, errno.into())
    })
}

/// A name beside the final one.
fn temporary_name() -> String {
    format!(".stemma-{}.tmp~", uuid::Uuid::now_v7().simple())
}
