//! `stemma checkout PATH@{TIME}`: gives tracked paths the content they had, in the lock and on disk, as one operation.

use stemma_core::{Digest, name::TreePath};
use stemma_store::Store;

use crate::{
    CheckedOut, CheckoutError, LockEntry, Workspace,
    operations::{Change, FileChange, Turn},
    overwrite::{Overwrite, put_aside, write},
    stat_cache::StatCache,
    status::{State, compare},
};

/// Gives each path the content, which must be in the store. Paths that are not tracked are refused, as are changed
/// files whose content is nowhere else unless forced; by force they are kept in the store first.
pub fn travel(
    workspace: &Workspace,
    store: &Store,
    to: &[(TreePath, Digest)],
    overwrite: Overwrite,
) -> Result<Vec<CheckedOut>, CheckoutError> {
    let turn = Turn::take(workspace, store)?;
    let mut lock = turn.lock().clone();
    let mut cache = StatCache::read(&workspace.home_dir());
    let mut written = Vec::new();
    let mut files = Vec::new();
    for (path, digest) in to {
        let Some(entry) = lock.get(path.as_str()).cloned() else {
            let hint = "see `stemma status`; `stemma get` writes any version to any file".to_owned();
            return Err(CheckoutError::NotTracked { path: path.clone(), hint });
        };
        let entry = LockEntry { digest: *digest, ..entry };
        let found = compare(workspace, path, &entry, &mut cache)?;
        lock.insert(path.clone(), entry)?;
        if found.state != State::Unchanged {
            files.push(FileChange { path: path.clone(), before: found.present, after: Some(*digest) });
            written.push(CheckedOut { path: path.clone(), digest: *digest, was: found.state });
        }
    }
    cache.save(&workspace.home_dir());
    let lost = check(store, to, &files, &written, overwrite)?;
    put_aside(workspace, store, lost.iter())?;
    turn.commit(Change { lock, files: files.clone(), ..Change::default() })?;
    for file in &files {
        write(workspace, store, file)?;
    }
    Ok(written)
}

/// Returns the paths whose content is nowhere else.
fn check(
    store: &Store,
    to: &[(TreePath, Digest)],
    files: &[FileChange],
    written: &[CheckedOut],
    overwrite: Overwrite,
) -> Result<Vec<TreePath>, CheckoutError> {
    let absent = to.iter().filter(|(_, digest)| !store.contains(digest));
    let absent: Vec<TreePath> = absent.map(|(path, _)| path.clone()).collect();
    if !absent.is_empty() {
        return Err(CheckoutError::NotHere(absent));
    }
    let is_lost = |(file, done): &(&FileChange, &CheckedOut)| {
        done.was == State::Modified && !file.before.is_some_and(|before| store.contains(&before))
    };
    let lost: Vec<TreePath> = files.iter().zip(written).filter(is_lost).map(|(file, _)| file.path.clone()).collect();
    if overwrite == Overwrite::Refuse && !lost.is_empty() {
        return Err(CheckoutError::Modified(lost));
    }
    Ok(lost)
}
