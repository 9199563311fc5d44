//! What could not be imported, and why.

use stemma_core::{ErrorKind, Problem};
use stemma_store::StoreError;

use crate::{LockError, WorkspaceError, git::GitError, operations::OperationsError, problem};

/// Why something was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Its bytes are not what their name says.
    Damaged,
    /// Its bytes are nowhere.
    Missing,
    /// It can't be taken as it is.
    Refused,
    /// There is nothing to take.
    Skipped,
}

/// Something that was left out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    pub kind: FaultKind,
    /// The path that it stands for, as far as there is one.
    pub path: String,
    /// The file that speaks of it.
    pub pointer: String,
    pub commit: Option<String>,
    pub reason: String,
}

/// The part of a [`Fault`] that is known where it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub kind: FaultKind,
    pub reason: String,
}

impl Trouble {
    pub fn new(kind: FaultKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }

    pub fn refused(reason: impl Into<String>) -> Self {
        Self::new(FaultKind::Refused, reason)
    }
}

/// The kind of failure that a list of faults makes of an import; `None` if nothing that should be there is missing.
pub fn worst(faults: &[Fault]) -> Option<ErrorKind> {
    match faults.iter().map(|fault| fault.kind).min()? {
        FaultKind::Damaged => Some(ErrorKind::Corrupt),
        FaultKind::Missing => Some(ErrorKind::NotFound),
        FaultKind::Refused => Some(ErrorKind::Invalid),
        FaultKind::Skipped => None,
    }
}

/// Why nothing could be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("`{0}` is no DVC repository: there is no `.dvc` folder in it or above")]
    NoDvc(String),
    #[error("`{0}` is in no Git repository")]
    NoGit(String),
    #[error("the history of `{path}` can't be read: {reason}")]
    History { path: String, reason: String },
    #[error("{0}")]
    Remote(String),
    #[error("`{path}` can't be read: {reason}")]
    Unreadable { path: String, reason: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Operations(#[from] OperationsError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

impl ImportError {
    pub(crate) fn git(folder: &std::path::Path, error: &GitError) -> Self {
        Self::History { path: folder.display().to_string(), reason: error.to_string() }
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        let message = error.to_string();
        match error {
            ImportError::NoDvc(_) => Self::not_found(message).hint("name the folder in which `dvc init` was run"),
            ImportError::NoGit(_) => {
                Self::not_found(message).hint("name a folder of the repository; without Git there is no history")
            }
            ImportError::History { .. } => Self::new(ErrorKind::Config, message)
                .hint("see what `git log` says there; without `--all-commits` the history is not needed"),
            ImportError::Remote(_) => Self::invalid(message).hint(
                "only remotes that are folders are read; for others run `dvc fetch --all-commits` first, and import \
                 from the cache that it fills",
            ),
            ImportError::Unreadable { .. } => Self::new(ErrorKind::Config, message),
            ImportError::Store(error) => problem::of_store(error),
            ImportError::Lock(error) => error.into(),
            ImportError::Operations(error) => error.into(),
            ImportError::Workspace(error) => error.into(),
        }
    }
}
