//! What a workspace needs of its content: what collects garbage goes by it.

use std::{collections::BTreeSet, time::Duration};

use stemma_core::{Digest, ErrorKind, Problem, digest::DIGEST_LEN};

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
    let which = ["log", "--all", "--reflog", "--full-history", "-m"];
    // as text, whatever attributes say: of a lock that counts as binary nothing would be shown
    let how = ["-p", "--text", "--no-color", "--no-ext-diff", "--no-textconv", "--format="];
    let changes: Vec<&str> = which.into_iter().chain(how).chain(["--", LOCK_FILE]).collect();
    Ok(digests_in(&git.ask(&changes, HISTORY_BYTES_MAX)?))
}

/// Every digest in a text. A commit may hold a lock that nobody could read, as in the middle of a merge: what it names
/// is needed all the same.
fn digests_in(text: &[u8]) -> Vec<Digest> {
    const PREFIX: &[u8] = Digest::PREFIX.as_bytes();
    const LEN: usize = PREFIX.len() + 2 * DIGEST_LEN;
    let starts = text.windows(PREFIX.len()).enumerate().filter(|(_, window)| *window == PREFIX);
    starts.filter_map(|(at, _)| std::str::from_utf8(text.get(at..at + LEN)?).ok()?.parse().ok()).collect()
}

fn has_repository(workspace: &Workspace) -> bool {
    workspace.root().ancestors().any(|folder| folder.join(".git").exists())
}
