//! Why a command could not be run, and what to do about it.

use std::{io, path::PathBuf};

use stemma_core::{ErrorKind, Problem};

use crate::sandbox::SandboxError;

/// Why a command could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("no command was given")]
    Empty,
    #[error("command `{program}` was not found")]
    NotFound { program: String },
    #[error("`{}` is not executable", path.display())]
    NotExecutable { path: PathBuf },
    #[error("argument, variable or path `{text}` holds a NUL byte")]
    Nul { text: String },
    #[error("could not start `{}` in `{}`", program.display(), cwd.display())]
    Start { program: PathBuf, cwd: PathBuf, source: io::Error },
    #[error("could not prepare to run a command")]
    Prepare(#[source] io::Error),
    #[error("too many commands run at once; at most {max} can")]
    TooMany { max: usize },
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("the tracer of `{}` ended before it had reported", program.display())]
    TracerLost { program: PathBuf },
}

impl RunError {
    /// What to do next, if that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Empty => Some("put the command after `--`, as in `-- python train.py`".into()),
            Self::NotFound { program } if program.contains('/') => {
                Some(format!("check that `{program}` exists; it is looked up from the folder the command runs in"))
            }
            Self::NotFound { program } => {
                Some(format!("check `PATH`, activate the environment that has it, or write `./{program}`"))
            }
            Self::NotExecutable { path } => {
                Some(format!("start it with its interpreter, or run `chmod +x {}`", path.display()))
            }
            Self::Start { source, .. } if source.raw_os_error() == Some(libc::ENOEXEC) => {
                Some("the file has no `#!` line; start it with its interpreter, as in `sh script`".into())
            }
            _ => None,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Empty | Self::Nul { .. } | Self::NotExecutable { .. } | Self::Start { .. } => ErrorKind::Invalid,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::TooMany { .. } => ErrorKind::Unavailable,
            Self::Sandbox(error) => error.kind(),
            Self::Prepare(_) | Self::TracerLost { .. } => ErrorKind::Internal,
        }
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        let message = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        let problem = Self::new(error.kind(), message);
        match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}
