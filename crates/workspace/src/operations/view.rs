//! Reading operations back: the states between them, and what happened to one path.

use std::{collections::BTreeSet, path::Path};

use stemma_core::{Digest, Timestamp, name::TreePath};
use stemma_store::{Store, StoreError};

use super::{
    error::OperationsError,
    journal::Journal,
    operation::{FileChange, Operation},
};
use crate::{
    Workspace,
    ignore::IgnoreLines,
    lock::{LOCK_FILE, Lock, LockEntry},
};

/// Longest text of a lock or list of files that is read back.
const TEXT_BYTES_MAX: u64 = 64 << 20;

/// The lock as it was before or after an operation.
pub(crate) fn lock_of(store: &Store, operation: &Operation, text: Digest) -> Result<Lock, OperationsError> {
    let unreadable = || OperationsError::Unreadable { number: operation.number, digest: text, what: "a lock" };
    let bytes = read(store, text, unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable())?;
    Lock::parse(Path::new(LOCK_FILE), &text).map_err(|_| unreadable())
}

/// The files that an operation wrote or removed.
pub(crate) fn files_of(store: &Store, operation: &Operation) -> Result<Vec<FileChange>, OperationsError> {
    let Some(digest) = operation.files else {
        return Ok(Vec::new());
    };
    let unreadable = || OperationsError::Unreadable { number: operation.number, digest, what: "a list of files" };
    let bytes = read(store, digest, unreadable)?;
    serde_json::from_slice(&bytes).map_err(|_| unreadable())
}

/// The lines for Git that an operation wrote and took out.
pub(crate) fn ignore_lines_of(store: &Store, operation: &Operation) -> Result<IgnoreLines, OperationsError> {
    let Some(digest) = operation.ignore else {
        return Ok(IgnoreLines::default());
    };
    let unreadable = || OperationsError::Unreadable { number: operation.number, digest, what: "a list of lines" };
    let bytes = read(store, digest, unreadable)?;
    serde_json::from_slice(&bytes).map_err(|_| unreadable())
}

fn read(store: &Store, digest: Digest, absent: impl Fn() -> OperationsError) -> Result<Vec<u8>, OperationsError> {
    match store.read(&digest, TEXT_BYTES_MAX) {
        Err(StoreError::NotFound(_)) => Err(absent()),
        read => Ok(read?),
    }
}

/// The paths of which an operation changed the file or what the lock says, sorted.
pub fn changed_paths(store: &Store, operation: &Operation) -> Result<Vec<TreePath>, OperationsError> {
    let mut paths: BTreeSet<TreePath> = files_of(store, operation)?.into_iter().map(|file| file.path).collect();
    if operation.before != operation.after {
        let before = lock_of(store, operation, operation.before)?;
        let after = lock_of(store, operation, operation.after)?;
        let differs = |path: &&TreePath| before.get(path.as_str()) != after.get(path.as_str());
        let all = before.entries().chain(after.entries()).map(|(path, _)| path);
        paths.extend(all.filter(differs).cloned());
    }
    Ok(paths.into_iter().collect())
}

/// What an operation did to one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathOperation {
    pub operation: Operation,
    /// What the lock said before and after.
    pub before: Option<LockEntry>,
    pub after: Option<LockEntry>,
    /// What became of the file, if the operation touched it.
    pub file: Option<FileChange>,
}

/// The operations that changed what the lock says of a path, or the file there; oldest first.
///
/// Each text of the lock is read once, and a file is one line of it.
pub fn path_operations(
    store: &Store,
    journal: &Journal,
    path: &TreePath,
) -> Result<Vec<PathOperation>, OperationsError> {
    let mut found = Vec::new();
    let mut known: Option<(Digest, Option<LockEntry>)> = None;
    for operation in &journal.operations {
        let entry_of = |text| lock_of(store, operation, text).map(|lock| lock.get(path.as_str()).cloned());
        let before = match known {
            Some((text, entry)) if text == operation.before => entry,
            _ => entry_of(operation.before)?,
        };
        let after = if operation.after == operation.before { before.clone() } else { entry_of(operation.after)? };
        let file = files_of(store, operation)?.into_iter().find(|file| file.path == *path);
        known = Some((operation.after, after.clone()));
        if before != after || file.is_some() {
            found.push(PathOperation { operation: operation.clone(), before, after, file });
        }
    }
    Ok(found)
}

/// Content that the lock gave a path, from a time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    pub time: Timestamp,
    pub operation: u64,
    /// None if the path was not tracked from then on.
    pub digest: Option<Digest>,
}

/// The contents that the lock gave a path since the first operation, oldest first.
pub fn path_versions(operations: &[PathOperation]) -> Vec<Since> {
    let mut versions: Vec<Since> = Vec::new();
    for PathOperation { operation, after, .. } in operations {
        let digest = after.as_ref().map(|entry| entry.digest);
        if versions.last().is_none_or(|last| last.digest != digest) {
            versions.push(Since { time: operation.time, operation: operation.number, digest });
        }
    }
    versions
}

/// As [`path_versions`], read from a home.
pub fn versions_of_path(workspace: &Workspace, store: &Store, path: &TreePath) -> Result<Vec<Since>, OperationsError> {
    Ok(path_versions(&path_operations(store, &Journal::of(workspace)?, path)?))
}
