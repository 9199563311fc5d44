//! What a workspace needs of its content: what collects garbage goes by it.

use std::{collections::BTreeSet, time::Duration};

use stemma_core::{Digest, ErrorKind, Problem};

use crate::{
    LockError, Workspace,
    git::{Git, GitError},
    lock::LOCK_FILE,
    operations::{self, OperationsError},
};

/// All changes that a long history made to its lock fit in.
const HISTORY_BYTES_MAX: u64 = 1 << 30;
const HISTORY_TIME_MAX: Duration = Duration::from_secs(120);

/// Why it can't be said what is needed. Nothing must be removed then.
#[derive(Debug, thiserror::Error)]
pub enum ReferencesError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Operations(#[from] OperationsError),
    #[error("the history of `{LOCK_FILE}` can't be read: {0}")]
    Git(String),
}

impl From<ReferencesError> for Problem {
    fn from(error: ReferencesError) -> Self {
        match error {
            ReferencesError::Lock(error) => error.into(),
            ReferencesError::Operations(error) => error.into(),
            ReferencesError::Git(_) => Self::new(ErrorKind::Config, error.to_string())
                .hint("nothing was removed: content that earlier commits need could not be told apart"),
        }
    }
}

/// Every content that `stemma.lock` names now or named in any commit that Git still has, and what the operations in this
/// workspace take to be read and undone.
pub fn references(workspace: &Workspace) -> Result<BTreeSet<Digest>, ReferencesError> {
    let mut found: BTreeSet<Digest> = workspace.lock()?.entries().map(|(_, entry)| entry.digest).collect();
    found.extend(operations::digests(&workspace.home_dir())?);
    found.extend(in_history(workspace).map_err(|error| ReferencesError::Git(error.to_string()))?);
    Ok(found)
}

/// A line that was in a lock once was added by some commit, so all changes together name everything.
fn in_history(workspace: &Workspace) -> Result<Vec<Digest>, GitError> {
    let git = Git::new(workspace.root(), HISTORY_TIME_MAX);
    match git.ask_line(&["rev-parse", "--is-inside-work-tree"]) {
        Ok(Some(_)) => {}
        Ok(None) | Err(GitError::NotInstalled) if !has_repository(workspace) => return Ok(Vec::new()),
        Ok(None) => return Err(GitError::NotInstalled),
        Err(error) => return Err(error),
    }
    let changes = ["log", "--all", "--reflog", "-p", "-m", "--no-color", "--no-ext-diff", "--no-textconv", "--format="];
    let changes: Vec<&str> = changes.into_iter().chain(["--", LOCK_FILE]).collect();
    let text = git.ask(&changes, HISTORY_BYTES_MAX)?;
    Ok(Digest::named_in(&text).collect())
}

fn has_repository(workspace: &Workspace) -> bool {
    workspace.root().ancestors().any(|folder| folder.join(".git").exists())
}
