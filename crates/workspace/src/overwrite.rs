//! What becomes of files that are about to be overwritten.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use stemma_core::name::TreePath;
use stemma_store::{Store, StoreError};

use crate::{
    Workspace, folder,
    operations::FileChange,
    path::{PathError, locate},
};

/// Whether content that is nowhere else may be overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    Refuse,
    Force,
}

/// Why a file was not kept, written or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Puts files and folders into the store that are about to be overwritten and are nowhere else.
pub(crate) fn put_aside<'a>(
    workspace: &Workspace,
    store: &Store,
    paths: impl Iterator<Item = &'a TreePath>,
) -> Result<(), FileError> {
    let mut batch = store.batch();
    for path in paths {
        let file = locate(workspace.root(), Path::new(path.as_str()))?.file;
        if file.is_file() {
            batch.put_file(&file, &mut |_| {})?;
        } else if file.is_dir() {
            folder::put(&workspace.home_dir(), &file, &mut batch, &mut |_, _| {})?;
        }
    }
    Ok(batch.commit()?)
}

/// Gives a file its content, or removes it.
pub(crate) fn write(workspace: &Workspace, store: &Store, change: &FileChange) -> Result<(), FileError> {
    let file = locate(workspace.root(), Path::new(change.path.as_str()))?.file;
    let io_error = |source| FileError::Io { path: file.clone(), source };
    if let Some(digest) = change.after {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(io_error)?;
        }
        return Ok(folder::bring(&workspace.home_dir(), store, &digest, &file)?);
    }
    let removed = match fs::symlink_metadata(&file) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(&file),
        Ok(_) => fs::remove_file(&file),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(error)),
        _ => Ok(()),
    }
}

/// The first of many paths.
pub(crate) fn list(paths: &[TreePath]) -> String {
    const SHOWN: usize = 3;
    let mut shown: Vec<String> = paths.iter().take(SHOWN).map(|p| format!("`{p}`")).collect();
    if paths.len() > SHOWN {
        shown.push(format!("{} more", paths.len() - SHOWN));
    }
    shown.join(", ")
}
