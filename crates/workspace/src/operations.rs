//! What was done in this folder: every change of `stemma.lock`, and of tracked files by us, as one operation.
//!
//! Relies on the store for the texts of the lock before and after, and for the content of files that were overwritten;
//! so every state that the folder once had can be read, and undone to. A change that came from elsewhere (Git, an
//! editor, a command that was killed between its operation and the lock) is noticed by the next operation and kept as
//! one of its own, without a command.

mod journal;
mod turn;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest, ErrorKind, Problem, Timestamp,
    name::{PrincipalName, TreePath},
};
use stemma_store::{Store, StoreError};

pub use self::journal::{Journal, OPERATIONS_FILE};
pub(crate) use self::turn::{Change, Turn};
pub use self::view::{PathOperation, Since, changed_paths, path_operations, path_versions, versions_of_path};
pub(crate) use self::view::{files_of, ignore_lines_of, lock_of};

use crate::{lock::LockError, problem};

/// Longest text of a lock or list of files that is read back.
const TEXT_BYTES_MAX: u64 = 64 << 20;

/// Who changes a workspace, and with which command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub actor: Option<PrincipalName>,
    /// As typed; secrets are taken out before it is written down.
    pub command: Vec<String>,
    pub time: Timestamp,
}

/// One change of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Counts from 1.
    pub number: u64,
    pub time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<PrincipalName>,
    /// Without secrets; empty if the change came from elsewhere and was only noticed.
    #[serde(default)]
    pub command: Vec<String>,
    /// The text of `stemma.lock` before, as content; that of an empty text if there was none.
    pub before: Digest,
    pub after: Digest,
    /// Content: canonical JSON of a list of [`FileChange`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Digest>,
    /// Content: canonical JSON of [`IgnoreLines`], if Git was told something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<Digest>,
    /// The folder that it changed, if the home is that of another one: a worktree's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worktree: Option<String>,
    /// The operation that this one took back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undoes: Option<u64>,
}

impl Operation {
    /// Whether no command of ours made this change.
    pub fn is_noticed(&self) -> bool {
        self.command.is_empty()
    }
}

/// A file or folder that an operation wrote or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    pub path: TreePath,
    /// What it had; none if nothing was there.
    pub before: Option<Digest>,
    /// What it has; none if it was removed.
    pub after: Option<Digest>,
}

/// Tracked paths that Git was told to leave out, or to leave out no longer, by the lines for them in `.gitignore`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct IgnoreLines {
    pub written: Vec<TreePath>,
    pub removed: Vec<TreePath>,
}

impl IgnoreLines {
    pub fn is_empty(&self) -> bool {
        self.written.is_empty() && self.removed.is_empty()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OperationsError {
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("`{}` has format version {found}, this program knows version 1", .path.display())]
    Version { path: PathBuf, found: String },
    #[error("`{}` is damaged in line {}", .path.display(), numbers(.lines))]
    Damaged { path: PathBuf, lines: Vec<u64> },
    #[error("operation {number} names {digest}, which is not {what}")]
    Unreadable { number: u64, digest: Digest, what: &'static str },
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn numbers(lines: &[u64]) -> String {
    lines.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

impl From<OperationsError> for Problem {
    fn from(error: OperationsError) -> Self {
        let message = error.to_string();
        match error {
            OperationsError::Io { .. } => Self::new(ErrorKind::Config, message),
            OperationsError::Version { .. } => Self::new(ErrorKind::Config, message).hint("use a newer Stemma"),
            OperationsError::Damaged { .. } => Self::new(ErrorKind::Corrupt, message)
                .hint("restore the file from a backup, or delete these lines and with them what they remember"),
            OperationsError::Unreadable { .. } => {
                Self::new(ErrorKind::Corrupt, message).hint("see `stemma verify`; the operations after it are usable")
            }
            OperationsError::Store(error) => problem::of_store(error),
        }
    }
}

impl From<OperationsError> for LockError {
    fn from(error: OperationsError) -> Self {
        Self::Operations(Box::new(error))
    }
}

/// The texts that operations are read from, each with the operations that need it.
pub fn texts(journal: &Journal) -> BTreeMap<Digest, Vec<u64>> {
    let mut texts: BTreeMap<Digest, Vec<u64>> = BTreeMap::new();
    for operation in &journal.operations {
        let of: BTreeSet<Digest> =
            [operation.before, operation.after].into_iter().chain(operation.files).chain(operation.ignore).collect();
        of.into_iter().for_each(|text| texts.entry(text).or_default().push(operation.number));
    }
    texts
}

/// Everything that the operations of a home need to be readable and undone: texts of the lock, what they list, and
/// what files had before they were overwritten. Sorted.
///
/// Fails if any operation can't be read: who collects garbage by this list must not take a part for the whole.
pub fn digests(home: &Path) -> Result<Vec<Digest>, OperationsError> {
    digests_since(home, Timestamp(i64::MIN))
}

/// As [`digests`], of the operations from a time on, and of the state before the first of them.
pub fn digests_since(home: &Path, since: Timestamp) -> Result<Vec<Digest>, OperationsError> {
    let journal = Journal::read(home)?;
    if !journal.damaged.is_empty() {
        return Err(OperationsError::Damaged { path: home.join(OPERATIONS_FILE), lines: journal.damaged });
    }
    if journal.operations.is_empty() {
        return Ok(Vec::new());
    }
    let store = Store::open(&home.join("content"))?;
    let mut found = BTreeSet::new();
    for operation in journal.operations.iter().filter(|operation| operation.time >= since) {
        for text in [operation.before, operation.after] {
            if found.insert(text) {
                let lock = view::lock_of(&store, operation, text)?;
                found.extend(lock.entries().map(|(_, entry)| entry.digest));
            }
        }
        found.extend(operation.files.into_iter().chain(operation.ignore));
        let files = view::files_of(&store, operation)?;
        found.extend(files.iter().flat_map(|file| [file.before, file.after]).flatten());
    }
    Ok(found.into_iter().collect())
}
