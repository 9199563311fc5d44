//! `stemma status`: do the tracked files still have the content that `stemma.lock` says?

use std::{fs, io, path::PathBuf};

use serde::{Deserialize, Serialize};
use stemma_core::{Digest, ErrorKind, Problem, name::TreePath};
use stemma_store::{Store, StoreError};

use crate::{
    LockEntry, Workspace,
    folder::{self, Inside, Present},
    lock::LockError,
    problem,
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
    /// What the file or folder has, if it was readable as one.
    pub present: Option<Digest>,
    /// How a folder differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside: Option<Inside>,
}

#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("`{}` can't be read: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StatusError> for Problem {
    fn from(error: StatusError) -> Self {
        match error {
            StatusError::Lock(error) => error.into(),
            StatusError::Io { .. } => Self::new(ErrorKind::Config, error.to_string()),
            StatusError::Store(error) => problem::of_store(error),
        }
    }
}

/// Compares all that is tracked with the lock, sorted by path. The content is opened only to say how a folder differs.
pub fn status(workspace: &Workspace) -> Result<Vec<StatusEntry>, StatusError> {
    let lock = workspace.lock()?;
    let mut cache = StatCache::read(&workspace.home_dir());
    let mut store = None;
    let mut entries = Vec::new();
    for (path, entry) in lock.entries() {
        let (mut entry, present) = look(workspace, path, entry, &mut cache)?;
        if let (State::Modified, Some(present)) = (entry.state, present) {
            let store: &Store = match &store {
                Some(store) => store,
                None => store.insert(Store::open(&workspace.content_dir())?),
            };
            entry.inside = Some(present.compare(store, &entry.digest)?);
        }
        entries.push(entry);
    }
    cache.save(&workspace.home_dir());
    Ok(entries)
}

pub(crate) fn compare(
    workspace: &Workspace,
    path: &TreePath,
    entry: &LockEntry,
    cache: &mut StatCache,
) -> Result<StatusEntry, StatusError> {
    Ok(look(workspace, path, entry, cache)?.0)
}

/// The same, with what is in it if it is a folder.
pub(crate) fn look(
    workspace: &Workspace,
    path: &TreePath,
    entry: &LockEntry,
    cache: &mut StatCache,
) -> Result<(StatusEntry, Option<Present>), StatusError> {
    let file = workspace.root().join(path.as_str());
    let io_error = |source| StatusError::Io { path: file.clone(), source };
    let (mut folder, mut inside) = (None, None);
    let present = match fs::metadata(&file) {
        Ok(meta) if meta.is_file() => Some(digest_of(&file, cache).map_err(io_error)?),
        Ok(meta) if meta.is_dir() => match folder::look(&workspace.home_dir(), &file) {
            Ok(present) => Some(folder.insert(present).summary.digest),
            Err(error @ StoreError::Refused { .. }) => {
                inside = Some(Inside { refused: Some(error.to_string()), ..Inside::default() });
                None
            }
            Err(error) => return Err(error.into()),
        },
        Ok(_) => None,
        Err(error) if is_missing(&error) => {
            let (path, name) = (path.clone(), entry.name.clone());
            let (state, digest) = (State::Missing, entry.digest);
            return Ok((StatusEntry { path, name, state, digest, present: None, inside }, None));
        }
        Err(error) => return Err(io_error(error)),
    };
    let state = if present == Some(entry.digest) { State::Unchanged } else { State::Modified };
    let (path, name) = (path.clone(), entry.name.clone());
    Ok((StatusEntry { path, name, state, digest: entry.digest, present, inside }, folder))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
