//! What is written down of a change: a stored format.

use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest, Timestamp,
    name::{PrincipalName, TreePath},
};

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
    /// Content: canonical JSON of the lines, if Git was told something.
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
