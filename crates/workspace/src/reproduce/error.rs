use std::{io, path::PathBuf};

use stemma_core::{ErrorKind, Problem, record::ExitStatus};
use stemma_runner::sandbox::Ending;

use crate::{WorkspaceError, exit::ended, run::RunError};

/// Why a run can't be repeated as it was recorded.
#[derive(Debug, thiserror::Error)]
pub enum ReproduceError {
    #[error("the run was captured too weakly to be repeated: {0}")]
    WeakCapture(&'static str),
    #[error("the run did not write the content of the version")]
    NoModel,
    #[error("the run failed when it was recorded: {0}")]
    RunFailed(String),
    #[error("a secret was taken out of the recorded command: `{0}`")]
    SecretInCommand(String),
    #[error("the record names `{0}`, which lies outside of any project")]
    BadPath(String),
    #[error("the run had {kind} {wanted}, and there is none here")]
    NoInterpreter { kind: String, wanted: String },
    #[error("the run had Python {wanted}, but `{}` is {found}", .path.display())]
    WrongInterpreter { path: PathBuf, wanted: String, found: String },
    #[error("`{}` is not a Python that answers: {why}", .path.display())]
    NoAnswer { path: PathBuf, why: String },
    /// What is recorded can't be had here; each line says what.
    #[error("{} of the run can't be had, {} first", .0.len(), .0.first().map_or("nothing", String::as_str))]
    Missing(Vec<String>),
    #[error("{doing} failed with {}{}", ended(*.exit), last_lines(.last))]
    Step { doing: &'static str, exit: ExitStatus, last: Vec<String> },
    #[error("{doing} was ended: {limit}")]
    Limit { doing: &'static str, limit: Ending },
    #[error("a package has replaced the interpreter of the new environment, or where it comes from")]
    Overwritten,
    #[error("interrupted")]
    Interrupted,
    #[error("`{}` is not an empty folder", .0.display())]
    NotEmpty(PathBuf),
    #[error("the folder lies inside the workspace `{}`", .0.display())]
    InsideWorkspace(PathBuf),
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Run(#[from] RunError),
}

impl ReproduceError {
    pub(super) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}

fn last_lines(lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { format!("; its last lines:\n  {}", lines.join("\n  ")) }
}

impl From<ReproduceError> for Problem {
    fn from(error: ReproduceError) -> Self {
        let message = error.to_string();
        match error {
            ReproduceError::WeakCapture(_) => Self::invalid(message)
                .hint("train again with `stemma run -- COMMAND` where system calls can be watched, and register that"),
            ReproduceError::NoModel => {
                Self::invalid(message).hint("register the file as the run wrote it; see `stemma show` of the run")
            }
            ReproduceError::SecretInCommand(_) => {
                Self::invalid(message).hint("give secrets to commands in variables or files, not as arguments")
            }
            ReproduceError::RunFailed(_) | ReproduceError::BadPath(_) => Self::invalid(message),
            ReproduceError::NoInterpreter { wanted, .. } => Self::new(ErrorKind::Config, message)
                .hint(format!("install Python {wanted}, or name one with `--python PATH`")),
            ReproduceError::WrongInterpreter { wanted, .. } => {
                Self::invalid(message).hint(format!("name a Python {wanted} with `--python PATH`"))
            }
            ReproduceError::NoAnswer { .. } => Self::invalid(message).hint("name a Python with `--python PATH`"),
            ReproduceError::Missing(missing) => {
                Self { missing, ..Self::not_found("what the run had can't be had here") }
            }
            ReproduceError::Step { .. } => {
                Self::new(ErrorKind::Refused, message).hint("`--keep` keeps the folder with its logs")
            }
            ReproduceError::Limit { .. } | ReproduceError::Overwritten => Self::new(ErrorKind::Refused, message),
            ReproduceError::Interrupted => Self::new(ErrorKind::Unavailable, message),
            ReproduceError::NotEmpty(_) => Self::invalid(message).hint("name a folder that does not exist yet"),
            ReproduceError::InsideWorkspace(_) => {
                Self::invalid(message).hint("choose a folder outside, so that nothing of the workspace is touched")
            }
            ReproduceError::Io { .. } => Self::new(ErrorKind::Config, message),
            ReproduceError::Workspace(error) => error.into(),
            ReproduceError::Run(error) => error.into(),
        }
    }
}
