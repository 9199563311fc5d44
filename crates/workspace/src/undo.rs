//! `stemma undo`: takes back one operation, in the lock and in the files that it wrote. That is an operation too.

use std::{collections::BTreeSet, io, path::PathBuf};

use stemma_core::{Digest, ErrorKind, Problem, name::TreePath};
use stemma_store::{Store, StoreError};

use crate::{
    LockEntry, Workspace,
    ignore::IgnoreLines,
    lock::{Lock, LockError},
    operations::{Change, FileChange, Journal, Operation, OperationsError, Turn, files_of, ignore_lines_of, lock_of},
    overwrite::{FileError, Overwrite, list, put_aside, write},
    path::PathError,
    problem,
    stat_cache::StatCache,
    status::{State, StatusError, compare},
};

/// What was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    pub operation: Operation,
    /// The operation that this was; none if everything was as before already.
    pub number: Option<u64>,
    /// Paths of which the lock says something else now, with the content that it gives them.
    pub lock: Vec<(TreePath, Option<Digest>)>,
    /// What became of files.
    pub files: Vec<FileChange>,
}

/// Why an operation was not taken back. Unless the disk or the store failed, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    #[error("there is no operation to take back")]
    Nothing,
    #[error("there is no operation {number}")]
    Unknown { number: u64, newest: u64 },
    #[error("`stemma.lock` says something else of {} since operation {number}", list(.paths))]
    LockChanged { number: u64, paths: Vec<TreePath> },
    #[error("{} changed since operation {number}", list(.paths))]
    Modified { number: u64, paths: Vec<TreePath> },
    #[error("what {} had before operation {number} is not in the store", list(.paths))]
    NotHere { number: u64, paths: Vec<TreePath> },
    #[error(transparent)]
    Operations(#[from] OperationsError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    Status(#[from] StatusError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{}` can't be changed: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl From<UndoError> for Problem {
    fn from(error: UndoError) -> Self {
        let message = error.to_string();
        match error {
            UndoError::Nothing => Self::not_found(message).hint("`stemma log` lists operations"),
            UndoError::Unknown { newest, .. } => {
                Self::not_found(message).hint(format!("the newest is {newest}; see `stemma log`"))
            }
            UndoError::LockChanged { .. } => Self::new(ErrorKind::Conflict, message)
                .hint("take back the later operations first (see `stemma log PATH`), or override them with `--force`"),
            UndoError::Modified { .. } => Self::new(ErrorKind::Conflict, message)
                .hint("keep the files with `stemma add`, or overwrite them with `--force`"),
            UndoError::NotHere { .. } => {
                Self::not_found(message).hint("get it from a home that has it, with `stemma get b3:…`")
            }
            UndoError::Operations(error) => error.into(),
            UndoError::Lock(error) => error.into(),
            UndoError::Path(error) => error.into(),
            UndoError::Status(error) => error.into(),
            UndoError::Store(error) => problem::of_store(error),
            UndoError::Io { .. } => Self::new(ErrorKind::Config, message),
        }
    }
}

/// Takes back the operation of a number, or the last one that a command made.
///
/// Only what the operation changed is set back. What changed again since is refused unless forced; content of files
/// that are overwritten by force is kept in the store first, so that this can be taken back too.
pub fn undo(
    workspace: &Workspace,
    store: &Store,
    number: Option<u64>,
    overwrite: Overwrite,
) -> Result<Undone, UndoError> {
    let journal = Journal::of(workspace)?;
    let operation = choose(&journal, number)?.clone();
    let turn = Turn::take(workspace, store)?;
    let (lock, paths) = lock_before(store, &operation, turn.lock(), overwrite)?;
    let mut cache = StatCache::read(&workspace.home_dir());
    let files = files_before(workspace, store, &operation, overwrite, &mut cache)?;
    cache.save(&workspace.home_dir());
    let changed = paths.into_iter().map(|path| {
        let digest = lock.get(path.as_str()).map(|entry| entry.digest);
        (path, digest)
    });
    let changed = changed.collect();
    let ignore = lines_before(&lock, ignore_lines_of(store, &operation)?);
    let undoes = Some(operation.number);
    let number = turn.commit(Change { lock, files: files.clone(), ignore, undoes })?;
    for file in &files {
        write(workspace, store, file)?;
    }
    Ok(Undone { operation, number, lock: changed, files })
}

fn choose(journal: &Journal, number: Option<u64>) -> Result<&Operation, UndoError> {
    match number {
        None => journal.operations.iter().rfind(|operation| !operation.is_noticed()).ok_or(UndoError::Nothing),
        Some(number) => journal.get(number).ok_or_else(|| match journal.operations.last() {
            Some(newest) => UndoError::Unknown { number, newest: newest.number },
            None => UndoError::Nothing,
        }),
    }
}

/// The lock without what the operation did, and the paths of which that is true.
fn lock_before(
    store: &Store,
    operation: &Operation,
    present: &Lock,
    overwrite: Overwrite,
) -> Result<(Lock, Vec<TreePath>), UndoError> {
    let before = lock_of(store, operation, operation.before)?;
    let after = lock_of(store, operation, operation.after)?;
    let differs = |path: &&TreePath| before.get(path.as_str()) != after.get(path.as_str());
    let all: BTreeSet<&TreePath> = before.entries().chain(after.entries()).map(|(path, _)| path).collect();
    let is_to_do = |path: &&TreePath| present.get(path.as_str()) != before.get(path.as_str());
    let paths: Vec<TreePath> = all.into_iter().filter(differs).filter(is_to_do).cloned().collect();
    let is_other = |path: &&TreePath| present.get(path.as_str()) != after.get(path.as_str());
    let other: Vec<TreePath> = paths.iter().filter(is_other).cloned().collect();
    if overwrite == Overwrite::Refuse && !other.is_empty() {
        return Err(UndoError::LockChanged { number: operation.number, paths: other });
    }
    let mut lock = present.clone();
    for path in &paths {
        lock.remove(path);
    }
    for path in &paths {
        if let Some(entry) = before.get(path.as_str()) {
            lock.insert(path.clone(), entry.clone())?;
        }
    }
    Ok((lock, paths))
}

/// The lines for Git that take back those of an operation: what is tracked still is left out still.
fn lines_before(lock: &Lock, IgnoreLines { written, removed }: IgnoreLines) -> IgnoreLines {
    let is_free = |path: &TreePath| lock.get(path.as_str()).is_none();
    IgnoreLines { written: removed, removed: written.into_iter().filter(is_free).collect() }
}

/// What has to become of files, after everything that speaks against it was looked for.
fn files_before(
    workspace: &Workspace,
    store: &Store,
    operation: &Operation,
    overwrite: Overwrite,
    cache: &mut StatCache,
) -> Result<Vec<FileChange>, UndoError> {
    let number = operation.number;
    let (mut files, mut modified, mut not_here) = (Vec::new(), Vec::new(), Vec::new());
    for FileChange { path, before, after } in files_of(store, operation)? {
        if has(workspace, &path, before, cache)?.is_ok() {
            continue;
        }
        let present = match has(workspace, &path, after, cache)? {
            Ok(()) => after,
            Err(present) => {
                modified.push(path.clone());
                present
            }
        };
        if before.is_some_and(|digest| !store.contains(&digest)) {
            not_here.push(path.clone());
        }
        files.push(FileChange { path, before: present, after: before });
    }
    if !not_here.is_empty() {
        return Err(UndoError::NotHere { number, paths: not_here });
    }
    if !modified.is_empty() && overwrite == Overwrite::Refuse {
        return Err(UndoError::Modified { number, paths: modified });
    }
    put_aside(workspace, store, modified.iter())?;
    Ok(files)
}

/// Whether a path has this content, or (for none) is not there; else what it has, if that is content.
fn has(
    workspace: &Workspace,
    path: &TreePath,
    wanted: Option<Digest>,
    cache: &mut StatCache,
) -> Result<Result<(), Option<Digest>>, UndoError> {
    // the name says nothing here
    let name = stemma_core::name::DatasetName::new("file").map_err(PathError::from)?;
    let entry = LockEntry { digest: wanted.unwrap_or(Digest::of(b"")), name };
    let found = compare(workspace, path, &entry, cache)?;
    Ok(match (wanted, found.state) {
        (None, State::Missing) | (Some(_), State::Unchanged) => Ok(()),
        _ => Err(found.present),
    })
}

impl From<FileError> for UndoError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Path(error) => error.into(),
            FileError::Store(error) => error.into(),
            FileError::Io { path, source } => Self::Io { path, source },
        }
    }
}
