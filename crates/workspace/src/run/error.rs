use std::path::PathBuf;

use stemma_core::Problem;
use stemma_runner::Exit;
use stemma_store::StoreError;

use crate::{WorkspaceError, problem};

/// Why a run could not be started, or was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("`{}` is not a folder inside the workspace `{}`", .directory.display(), .root.display())]
    Outside { directory: PathBuf, root: PathBuf },
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Command(#[from] stemma_runner::RunError),
    /// The command has run; what it did could not be kept.
    #[error("the command has ended with {}, but the run could not be recorded: {source}", ended(.exit))]
    Record { exit: Exit, source: StoreError },
}

fn ended(exit: &Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        let message = error.to_string();
        match error {
            RunError::Outside { .. } => Self::invalid(message).hint("run it from a folder of the project"),
            RunError::Workspace(error) => error.into(),
            RunError::Command(error) => error.into(),
            RunError::Record { source, .. } => Self { message, ..problem::of_store(source) },
        }
    }
}
