//! Going through a folder in the order of a tree, by directory handles only: no path is resolved twice, no link followed.

use std::{
    cmp::Ordering,
    ffi::{CStr, CString},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat},
    io::Errno,
};
use stemma_core::name::{TreePath, tool_of_component};

use crate::{
    error::{IoContext as _, Result, StoreError},
    tree::DEPTH_MAX,
};

pub(crate) const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Goes through a folder so that paths come by their bytes; holds the names of the directories down to the place it is at.
pub(crate) struct Walk {
    root: PathBuf,
    frames: Vec<Frame>,
}

struct Frame {
    handle: Arc<OwnedFd>,
    path: Option<TreePath>,
    /// The next name last.
    names: Vec<Name>,
}

#[derive(Debug)]
struct Name {
    name: CString,
    kind: NameKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameKind {
    Directory,
    /// A directory that was empty when it was looked at for the order's sake.
    EmptyDirectory,
    Other,
}

/// What a walk comes by.
pub(crate) enum Step {
    EmptyDirectory(TreePath),
    /// No directory. Nothing more is known of it.
    Other {
        parent: Arc<OwnedFd>,
        name: CString,
        path: TreePath,
    },
}

impl Walk {
    pub fn new(root: &Path) -> Result<Self> {
        let handle = rustix::fs::open(root, DIRECTORY, Mode::empty()).at(root)?;
        let mut walk = Self { root: root.to_owned(), frames: Vec::new() };
        let names = sorted_names(&handle, root)?;
        walk.frames.push(Frame { handle: Arc::new(handle), path: None, names });
        Ok(walk)
    }

    pub fn next(&mut self) -> Result<Option<Step>> {
        while let Some(frame) = self.frames.last_mut() {
            let Some(Name { name, kind }) = frame.names.pop() else {
                self.frames.pop();
                continue;
            };
            let above = frame.path.as_ref().map_or(self.root.clone(), |path| self.root.join(path.as_str()));
            let shown = above.join(display_name(&name));
            let path = tree_path(frame.path.as_ref(), &name).map_err(|reason| StoreError::refused(&shown, reason))?;
            if kind == NameKind::Other {
                return Ok(Some(Step::Other { parent: Arc::clone(&frame.handle), name, path }));
            }
            let parent = Arc::clone(&frame.handle);
            if self.enter(&parent, &name, &shown, &path, kind)? {
                return Ok(Some(Step::EmptyDirectory(path)));
            }
        }
        Ok(None)
    }

    /// Goes into a directory, or says that it is empty.
    fn enter(&mut self, parent: &OwnedFd, name: &CStr, shown: &Path, path: &TreePath, kind: NameKind) -> Result<bool> {
        if self.frames.len() > DEPTH_MAX {
            return Err(StoreError::refused(shown, format!("it lies more than {DEPTH_MAX} directories deep")));
        }
        let handle = openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        let handle = handle.map_err(|errno| gone_is_changed(errno, shown))?;
        let names = sorted_names(&handle, shown)?;
        if names.is_empty() {
            return Ok(true);
        }
        if kind == NameKind::EmptyDirectory {
            return Err(StoreError::Changed(shown.to_owned()));
        }
        self.frames.push(Frame { handle: Arc::new(handle), path: Some(path.clone()), names });
        Ok(false)
    }
}

/// A name that was listed a moment ago and is not there, or is something else, was changed meanwhile.
pub(crate) fn gone_is_changed(errno: Errno, shown: &Path) -> StoreError {
    match errno {
        Errno::NOENT | Errno::LOOP | Errno::NOTDIR => StoreError::Changed(shown.to_owned()),
        other => StoreError::io(shown, other.into()),
    }
}

/// The names in a directory, the last of the order first.
fn sorted_names(handle: &OwnedFd, shown: &Path) -> Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(handle).at(shown)? {
        let entry = entry.at(shown)?;
        let name = entry.file_name();
        if name.to_bytes() == b"." || name.to_bytes() == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = statat(handle, name, AtFlags::SYMLINK_NOFOLLOW).at(shown)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        let kind = if kind == FileType::Directory { NameKind::Directory } else { NameKind::Other };
        names.push(Name { name: name.to_owned(), kind });
    }
    names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    find_empty(handle, &mut names, shown)?;
    names.sort_unstable_by(|a, b| order(b, a));
    Ok(names)
}

/// Looks into directories whose place depends on whether they are empty: `a` comes before `a-b`, what is in it after.
fn find_empty(handle: &OwnedFd, names: &mut [Name], shown: &Path) -> Result<()> {
    for index in 1..names.len() {
        let (before, after) = names.split_at_mut(index);
        let (name, next) = (&mut before[index - 1], &after[0]);
        let comes_between = next.name.to_bytes().strip_prefix(name.name.to_bytes());
        let is_doubtful = comes_between.and_then(<[u8]>::first).is_some_and(|byte| *byte < b'/');
        if name.kind != NameKind::Directory || !is_doubtful {
            continue;
        }
        let shown = shown.join(display_name(&name.name));
        let opened = openat(handle, &name.name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        let opened = opened.map_err(|errno| gone_is_changed(errno, &shown))?;
        if is_empty(&opened, &shown)? {
            name.kind = NameKind::EmptyDirectory;
        }
    }
    Ok(())
}

fn is_empty(handle: &OwnedFd, shown: &Path) -> Result<bool> {
    for entry in Dir::read_from(handle).at(shown)? {
        let name = entry.at(shown)?.file_name().to_owned();
        if name.as_bytes() != b"." && name.as_bytes() != b".." {
            return Ok(false);
        }
    }
    Ok(true)
}

/// By the bytes of the paths that begin with them: what is in a directory has a `/` behind its name.
fn order(a: &Name, b: &Name) -> Ordering {
    let bytes = |name: &Name| (name.kind == NameKind::Directory).then_some(b'/');
    let left = a.name.to_bytes().iter().copied().chain(bytes(a));
    left.cmp(b.name.to_bytes().iter().copied().chain(bytes(b)))
}

pub(crate) fn display_name(name: &CStr) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()))
}

fn tree_path(parent: Option<&TreePath>, name: &CStr) -> std::result::Result<TreePath, String> {
    let name = name.to_str().map_err(|_| "its name is not UTF-8".to_owned())?;
    if tool_of_component(name).is_some() {
        return Err(format!("`{name}` is a tool's own folder"));
    }
    // the name is checked by itself first, so that it can't bring a separator of its own
    let component = TreePath::new(name).map_err(|error| error.reason.to_owned())?;
    match parent {
        None => Ok(component),
        Some(parent) => Ok(parent.join(&component)),
    }
}
