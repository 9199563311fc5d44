//! `stemma checkout`: brings tracked files to the content that `stemma.lock` says.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use stemma_core::{Digest, ErrorKind, Problem, name::TreePath, near};
use stemma_store::{Store, StoreError};

use crate::{
    Workspace, folder,
    lock::{Lock, LockError},
    operations::{Change, FileChange, OperationsError, Turn},
    overwrite::{FileError, Overwrite, list, put_aside},
    path::{PathError, locate},
    problem,
    stat_cache::StatCache,
    status::{State, StatusEntry, StatusError, look},
};

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedOut {
    pub path: TreePath,
    pub digest: Digest,
    /// What it was before.
    pub was: State,
}

/// Why a checkout was not done. Unless the disk or the store failed, nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    #[error("`{path}` is not in `stemma.lock`")]
    NotTracked { path: TreePath, hint: String },
    #[error("{} would lose content that is nowhere else", list(.0))]
    Modified(Vec<TreePath>),
    #[error("the content of {} is not in the store", list(.0))]
    NotHere(Vec<TreePath>),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Operations(#[from] OperationsError),
    #[error(transparent)]
    Status(#[from] StatusError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{}` can't be made: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl From<FileError> for CheckoutError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Path(error) => error.into(),
            FileError::Store(error) => error.into(),
            FileError::Io { path, source } => Self::Io { path, source },
        }
    }
}

impl From<CheckoutError> for Problem {
    fn from(error: CheckoutError) -> Self {
        let message = error.to_string();
        match error {
            CheckoutError::NotTracked { hint, .. } => Self::not_found(message).hint(hint),
            CheckoutError::Modified(_) => Self::new(ErrorKind::Conflict, message)
                .hint("keep it with `stemma add`, or overwrite it with `--force`"),
            CheckoutError::NotHere(_) => {
                Self::not_found(message).hint("get it from the home with `stemma get`, or add the original file again")
            }
            CheckoutError::Path(error) => error.into(),
            CheckoutError::Lock(error) => error.into(),
            CheckoutError::Operations(error) => error.into(),
            CheckoutError::Status(error) => error.into(),
            CheckoutError::Store(error) => problem::of_store(error),
            CheckoutError::Io { .. } => Self::new(ErrorKind::Config, message),
        }
    }
}

/// Brings back what is missing or differs, of the named paths or, if none is named, of all.
///
/// A file whose present content is in the store loses nothing and is overwritten; other changed files are refused
/// unless forced. Relative paths are seen from the workspace's root.
pub fn checkout(
    workspace: &Workspace,
    store: &Store,
    paths: &[PathBuf],
    overwrite: Overwrite,
) -> Result<Vec<CheckedOut>, CheckoutError> {
    let lock = workspace.lock()?;
    let wanted = choose(workspace.root(), &lock, paths)?;
    let mut cache = StatCache::read(&workspace.home_dir());
    let mut changes = Vec::new();
    let mut kept = BTreeSet::new();
    for path in &wanted {
        let Some(entry) = lock.get(path.as_str()) else {
            continue; // `choose` has checked it
        };
        let (entry, present) = look(workspace, path, entry, &mut cache)?;
        if present.map_or(Ok(false), |present| present.is_kept(store, &entry.digest))? {
            kept.insert(path.clone());
        }
        if entry.state != State::Unchanged {
            changes.push(entry);
        }
    }
    cache.save(&workspace.home_dir());
    check(store, &changes, &kept, overwrite)?;
    record(workspace, store, &changes)?;
    changes.into_iter().map(|entry| write(workspace, store, entry)).collect()
}

fn choose(root: &Path, lock: &Lock, paths: &[PathBuf]) -> Result<Vec<TreePath>, CheckoutError> {
    if paths.is_empty() {
        return Ok(lock.entries().map(|(path, _)| path.clone()).collect());
    }
    let mut chosen = Vec::new();
    for given in paths {
        let path = locate(root, given)?.path;
        let below = format!("{path}/");
        let is_wanted = |tracked: &&TreePath| **tracked == path || tracked.as_str().starts_with(&below);
        let tracked: Vec<TreePath> = lock.entries().map(|(tracked, _)| tracked).filter(is_wanted).cloned().collect();
        if tracked.is_empty() {
            let known = lock.entries().map(|(tracked, _)| tracked.as_str());
            let hint = near::hint(path.as_str(), known, "see `stemma status`");
            return Err(CheckoutError::NotTracked { path, hint });
        }
        chosen.extend(tracked);
    }
    chosen.sort();
    chosen.dedup();
    Ok(chosen)
}

/// Finds all that speaks against writing before anything is written.
///
/// `kept` are folders in which nothing would be lost.
fn check(
    store: &Store,
    changes: &[StatusEntry],
    kept: &BTreeSet<TreePath>,
    overwrite: Overwrite,
) -> Result<(), CheckoutError> {
    let paths = |of: &dyn Fn(&&StatusEntry) -> bool| -> Vec<TreePath> {
        changes.iter().filter(of).map(|entry| entry.path.clone()).collect()
    };
    let is_here = |digest: &Digest| match store.require_tree(digest) {
        Err(StoreError::NotFound(absent)) => absent == *digest && store.contains(digest),
        whole => whole.is_ok(),
    };
    let not_here = paths(&|entry| !is_here(&entry.digest));
    if !not_here.is_empty() {
        return Err(CheckoutError::NotHere(not_here));
    }
    let is_lost = |entry: &&StatusEntry| {
        let is_kept = kept.contains(&entry.path) || entry.present.is_some_and(|present| store.contains(&present));
        entry.state == State::Modified && !is_kept
    };
    let lost = paths(&is_lost);
    if overwrite == Overwrite::Refuse && !lost.is_empty() {
        return Err(CheckoutError::Modified(lost));
    }
    Ok(())
}

/// Writes the operation down before files change; what would be lost is kept, so that it can be taken back.
fn record(workspace: &Workspace, store: &Store, changes: &[StatusEntry]) -> Result<(), CheckoutError> {
    if changes.is_empty() {
        return Ok(());
    }
    let is_nowhere_else = |entry: &&StatusEntry| entry.present.is_some_and(|present| !store.contains(&present));
    put_aside(workspace, store, changes.iter().filter(is_nowhere_else).map(|entry| &entry.path))?;
    let turn = Turn::take(workspace, store)?;
    let file =
        |entry: &StatusEntry| FileChange { path: entry.path.clone(), before: entry.present, after: Some(entry.digest) };
    let change = Change { lock: turn.lock().clone(), files: changes.iter().map(file).collect(), ..Change::default() };
    turn.commit(change)?;
    Ok(())
}

fn write(workspace: &Workspace, store: &Store, entry: StatusEntry) -> Result<CheckedOut, CheckoutError> {
    // links of folders may have changed since the lock was written: look where the path leads today
    let file = locate(workspace.root(), Path::new(entry.path.as_str()))?.file;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|source| CheckoutError::Io { path: folder.to_owned(), source })?;
    }
    folder::bring(&workspace.home_dir(), store, &entry.digest, &file)?;
    Ok(CheckedOut { path: entry.path, digest: entry.digest, was: entry.state })
}
