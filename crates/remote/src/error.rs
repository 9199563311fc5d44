//! What can go wrong with a remote, each with the object that failed.

use std::{io, path::PathBuf, time::Duration};

use stemma_core::{Digest, ErrorKind, Problem};
use stemma_store::StoreError;

/// Why a remote could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    #[error("`{url}` is no remote: {reason}")]
    Url { url: String, reason: String },
    #[error("the settings of `{url}` can't be used: {reason}")]
    Settings { url: String, reason: String },
    #[error("`{}` is not there", .folder.display())]
    NotThere { folder: PathBuf },
    /// Nothing moved for so long that waiting on is no use.
    #[error("`{object}` stalled: nothing moved for {} s{}", .idle.as_secs_f32(), because(.last))]
    Stalled { object: String, idle: Duration, last: Option<String> },
    #[error("`{object}` failed after {attempts} attempts: {reason}")]
    GaveUp { object: String, attempts: u32, reason: String },
    #[error("`{object}`: {reason}")]
    Refused { object: String, reason: String, kind: ErrorKind },
    #[error("`{object}` is damaged: {what}")]
    Damaged { object: String, what: String },
    #[error("`{object}` has a version that this program does not know: {what}")]
    UnknownVersion { object: String, what: String },
    #[error("reference `{name}` was moved by {by} at {at} meanwhile")]
    Moved { name: String, by: String, at: String },
    #[error("content `{0}` is neither here nor at the remote")]
    Absent(Digest),
    #[error("the copy of the remote's indexes, `{}`: {source}", .path.display())]
    Cache { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a worker ended early: {0}")]
    Worker(String),
}

pub(crate) type Result<T> = std::result::Result<T, RemoteError>;

fn because(last: &Option<String>) -> String {
    last.as_ref().map_or_else(String::new, |last| format!("; before that: {last}"))
}

impl From<tokio::task::JoinError> for RemoteError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Worker(error.to_string())
    }
}

impl From<RemoteError> for Problem {
    fn from(error: RemoteError) -> Self {
        let message = error.to_string();
        match error {
            RemoteError::Url { .. } => Self::invalid(message).hint(
                "write a folder, `s3://BUCKET/PREFIX`, `gs://…`, `az://CONTAINER/PREFIX` or a server's `https://…`",
            ),
            RemoteError::Settings { .. } => Self::new(ErrorKind::Config, message).hint(
                "credentials come from the environment, as in `AWS_ACCESS_KEY_ID`; see `stemma remote add --help`",
            ),
            RemoteError::NotThere { .. } => {
                Self::not_found(message).hint("mount its disk, or correct its `url` in stemma.toml")
            }
            RemoteError::Stalled { .. } | RemoteError::GaveUp { .. } => Self::new(ErrorKind::Unavailable, message)
                .hint("run the command again: what has arrived is not sent again"),
            RemoteError::Refused { kind, .. } => {
                let problem = Self::new(kind, message);
                match kind {
                    ErrorKind::Forbidden => problem.hint("check the credentials in the environment and their rights"),
                    ErrorKind::NotFound => problem.hint("check the remote's URL; buckets are not made by Stemma"),
                    _ => problem,
                }
            }
            RemoteError::Damaged { .. } => Self::new(ErrorKind::Corrupt, message)
                .hint("nothing of it was taken in; `stemma push` from a workspace that has the content puts it back"),
            RemoteError::UnknownVersion { .. } => Self::new(ErrorKind::Config, message).hint("use a newer Stemma"),
            RemoteError::Moved { .. } => Self::new(ErrorKind::Conflict, message).hint("run the command again"),
            RemoteError::Absent(_) => Self::not_found(message).hint("push it from a workspace that has it"),
            RemoteError::Cache { .. } => Self::new(ErrorKind::Config, message),
            RemoteError::Store(error) => of_store(&error, message),
            RemoteError::Worker(_) => Self::new(ErrorKind::Internal, message),
        }
    }
}

fn of_store(error: &StoreError, message: String) -> Problem {
    match error {
        StoreError::Corrupt { .. } => Problem::new(ErrorKind::Corrupt, message).hint("see `stemma verify`"),
        StoreError::NotFound(_) => Problem::not_found(message),
        _ => Problem::new(ErrorKind::Config, message),
    }
}
