//! `stemma status`: do the tracked files still have the content that `stemma.lock` says?

use std::{fs, io, path::PathBuf};

use serde::{Deserialize, Serialize};
use stemma_core::{Digest, ErrorKind, Problem, name::TreePath};

use crate::{
    LockEntry, Workspace,
    lock::LockError,
    stat_cache::{StatCache, digest_of},
};

/// How a tracked file compares with the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Unchanged,
    Modified,
    Missing,
}

/// A tracked file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusEntry {
    pub path: TreePath,
    pub name: stemma_core::name::DatasetName,
    pub state: State,
    /// What the lock says.
    pub digest: Digest,
    /// What the file has, if it was readable as one.
    pub present: Option<Digest>,
}

#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("`{}` can't be read: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl From<StatusError> for Problem {
    fn from(error: StatusError) -> Self {
        match error {
            StatusError::Lock(error) => error.into(),
            StatusError::Io { .. } => Self::new(ErrorKind::Config, error.to_string()),
        }
    }
}

/// Compares all tracked files with the lock, sorted by path.
pub fn status(workspace: &Workspace) -> Result<Vec<StatusEntry>, StatusError> {
    let lock = workspace.lock()?;
    let mut cache = StatCache::read(&workspace.home_dir());
    let entries: Result<Vec<_>, _> =
        lock.entries().map(|(path, entry)| compare(workspace, path, entry, &mut cache)).collect();
    cache.save(&workspace.home_dir());
    entries
}

pub(crate) fn compare(
    workspace: &Workspace,
    path: &TreePath,
    entry: &LockEntry,
    cache: &mut StatCache,
) -> Result<StatusEntry, StatusError> {
    let file = workspace.root().join(path.as_str());
    let io_error = |source| StatusError::Io { path: file.clone(), source };
    let (state, present) = match fs::metadata(&file) {
        Ok(meta) if meta.is_file() => {
            let present = digest_of(&file, cache).map_err(io_error)?;
            let state = if present == entry.digest { State::Unchanged } else { State::Modified };
            (state, Some(present))
        }
        Ok(_) => (State::Modified, None),
        Err(error) if is_missing(&error) => (State::Missing, None),
        Err(error) => return Err(io_error(error)),
    };
    Ok(StatusEntry { path: path.clone(), name: entry.name.clone(), state, digest: entry.digest, present })
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
