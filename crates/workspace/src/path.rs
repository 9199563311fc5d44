//! From a path as somebody wrote it to a place inside the workspace, or a reason why not.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use stemma_core::{
    ErrorKind, Problem,
    name::{NameError, TreePath},
    near,
    pointer::Pointer,
};

use crate::{pointer, reserved::owner_of};

/// Names that are looked at for a hint.
const NEIGHBOURS_MAX: usize = 10_000;

/// Why a path can't be tracked.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    #[error("`{}` is outside of the workspace `{}`", .path.display(), .root.display())]
    Outside { path: PathBuf, root: PathBuf },
    #[error("`{}` is a link to `{}`, outside of the workspace", .path.display(), .target.display())]
    LinkOutside { path: PathBuf, target: PathBuf },
    #[error("`{}` is {pointer}, not the content", .path.display())]
    Pointer { path: PathBuf, pointer: Pointer },
    /// Inside `.git` or `.stemma`, the lock file or the heads beside it.
    #[error("`{}` belongs to {owner} and can't be tracked", .path.display())]
    Reserved { path: PathBuf, owner: &'static str },
    #[error("`{}` does not exist", .path.display())]
    NotFound { path: PathBuf, near: Vec<String> },
    #[error("`{}` is {what}, not a file or folder", .path.display())]
    Special { path: PathBuf, what: &'static str },
    #[error("`{}` is not UTF-8 and can't stand in `stemma.lock`", .0.display())]
    NotUtf8(PathBuf),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("`{}` can't be read: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl From<PathError> for Problem {
    fn from(error: PathError) -> Self {
        let message = error.to_string();
        match error {
            PathError::NotFound { near, .. } => {
                let problem = Self::not_found(message);
                match near.as_slice() {
                    [] => problem,
                    names => problem.hint(format!("did you mean `{}`?", names.join("` or `"))),
                }
            }
            PathError::Outside { .. } | PathError::LinkOutside { .. } => {
                Self::invalid(message).hint("copy it into the workspace first")
            }
            PathError::Pointer { pointer, .. } => Self::invalid(message).hint(pointer.hint()),
            PathError::NotUtf8(_) | PathError::Name(_) => Self::invalid(message).hint("rename it first"),
            PathError::Io { .. } => Self::new(ErrorKind::Config, message),
            PathError::Reserved { .. } | PathError::Special { .. } => Self::invalid(message),
        }
    }
}

/// A place inside the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    pub path: TreePath,
    pub file: PathBuf,
}

/// How a path that somebody gave is called in `stemma.lock`.
pub fn tracked(root: &Path, given: &Path) -> Result<TreePath, PathError> {
    Ok(locate(root, given)?.path)
}

/// Finds the place that a path means; nothing need be there. Relative paths are seen from the root.
///
/// `root` must be canonical. Links on the way are followed, one at the very end is not.
pub(crate) fn locate(root: &Path, given: &Path) -> Result<Located, PathError> {
    let file = resolve_folders(&root.join(given)).map_err(|source| PathError::Io { path: given.to_owned(), source })?;
    let outside = || PathError::Outside { path: given.to_owned(), root: root.to_owned() };
    let inside = file.strip_prefix(root).map_err(|_| outside())?;
    if inside.as_os_str().is_empty() {
        return Err(PathError::Reserved { path: given.to_owned(), owner: "the workspace as a whole" });
    }
    check_reserved(inside)?;
    let text = inside.to_str().ok_or_else(|| PathError::NotUtf8(inside.to_owned()))?;
    Ok(Located { path: TreePath::new(text)?, file })
}

/// Follows links and `..` of all folders that exist; what does not exist is appended as it stands.
fn resolve_folders(path: &Path) -> io::Result<PathBuf> {
    let Some((name, folder)) = path.file_name().zip(path.parent()) else {
        return fs::canonicalize(path); // `/`, or it ends with `..`
    };
    match fs::canonicalize(folder) {
        Ok(folder) => Ok(folder.join(name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(resolve_folders(folder)?.join(name)),
        Err(error) => Err(error),
    }
}

/// Refuses the folders and files that are ours or Git's, in any spelling that some file system takes for them.
pub fn check_reserved(inside: &Path) -> Result<(), PathError> {
    match owner_of(inside) {
        Some(owner) => Err(PathError::Reserved { path: inside.to_owned(), owner }),
        None => Ok(()),
    }
}

/// What is at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
}

/// Looks at a place that must hold a file or a folder, also through a link that stays inside of the workspace.
pub(crate) fn look(root: &Path, located: &Located) -> Result<Kind, PathError> {
    let io_error = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            PathError::NotFound { path: located.path.as_str().into(), near: neighbours(root, located) }
        }
        _ => PathError::Io { path: located.path.as_str().into(), source },
    };
    let itself = fs::symlink_metadata(&located.file).map_err(io_error)?;
    let meta = if itself.is_symlink() {
        check_link(root, located)?;
        fs::metadata(&located.file).map_err(io_error)?
    } else {
        itself
    };
    kind_of(&meta).map_err(|what| PathError::Special { path: located.path.as_str().into(), what })
}

fn check_link(root: &Path, located: &Located) -> Result<(), PathError> {
    let path = PathBuf::from(located.path.as_str());
    let link = fs::read_link(&located.file).map_err(|source| PathError::Io { path: path.clone(), source })?;
    if let Some(pointer) = link.to_str().and_then(pointer::behind) {
        return Err(PathError::Pointer { path, pointer });
    }
    let target = match fs::canonicalize(&located.file) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(PathError::Special { path, what: "a link to nothing" });
        }
        Err(source) => return Err(PathError::Io { path, source }),
    };
    match target.strip_prefix(root) {
        Ok(inside) => check_reserved(inside),
        Err(_) => Err(PathError::LinkOutside { path, target }),
    }
}

fn kind_of(meta: &fs::Metadata) -> Result<Kind, &'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = meta.file_type();
    if kind.is_file() {
        Ok(Kind::File)
    } else if kind.is_dir() {
        Ok(Kind::Folder)
    } else if kind.is_fifo() {
        Err("a pipe")
    } else if kind.is_socket() {
        Err("a socket")
    } else {
        Err("a device")
    }
}

/// Names like the wanted one in the same folder, as paths from the root.
fn neighbours(root: &Path, located: &Located) -> Vec<String> {
    let Some(entries) = located.file.parent().and_then(|folder| fs::read_dir(folder).ok()) else {
        return Vec::new();
    };
    let paths: Vec<String> = entries
        .take(NEIGHBOURS_MAX)
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            Some(path.strip_prefix(root).ok()?.to_str()?.to_owned())
        })
        .collect();
    let near = near::near(located.path.as_str(), paths.iter().map(String::as_str));
    near.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_path_leads_outside(parts in proptest::collection::vec(
            prop::sample::select(vec!["..", ".", "", "a", "b", "in", "out", ".git", ".stemma", "new", "é", "a;b"]), 0..6,
        ), is_absolute: bool) {
            let folder = tempfile::tempdir().unwrap();
            let root = fs::canonicalize(folder.path()).unwrap().join("root");
            fs::create_dir_all(root.join("a/b")).unwrap();
            fs::create_dir_all(root.join(".git/a")).unwrap();
            fs::create_dir(root.join("../elsewhere")).unwrap();
            symlink("a", root.join("in")).unwrap();
            symlink("../elsewhere", root.join("out")).unwrap();
            symlink("../../elsewhere", root.join("a/b/out")).unwrap();
            let given = PathBuf::from(parts.join("/"));
            let given = if is_absolute { root.join(given) } else { given };
            if let Ok(Located { path, file }) = locate(&root, &given) {
                prop_assert_eq!(root.join(path.as_str()), file.clone());
                prop_assert!(!path.components().any(|part| [".git", ".stemma", ".."].contains(&part)));
                let mut above = file.parent().unwrap();
                while !above.exists() {
                    above = above.parent().unwrap();
                }
                prop_assert!(fs::canonicalize(above).unwrap().starts_with(&root), "{:?}", given);
            }
        }
    }
}
