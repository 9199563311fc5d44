use stemma_core::{ErrorKind, Problem};
use stemma_store::StoreError;
use stemma_workspace::{LockError, WorkspaceError, git::GitError, operations::OperationsError};

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
            ImportError::Store(error) => WorkspaceError::from(error).into(),
            ImportError::Lock(error) => error.into(),
            ImportError::Operations(error) => error.into(),
            ImportError::Workspace(error) => error.into(),
        }
    }
}
