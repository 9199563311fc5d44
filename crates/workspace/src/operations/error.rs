use std::path::PathBuf;

use stemma_core::{Digest, ErrorKind, Problem};
use stemma_store::StoreError;

use crate::{lock::LockError, problem};

/// Why operations can't be read, or a change not be made.
#[derive(Debug, thiserror::Error)]
pub enum OperationsError {
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("`{}` has format version {found}, this program knows version 1", .path.display())]
    Version { path: PathBuf, found: String },
    #[error("`{}` is damaged in line {}", .path.display(), numbers(.lines))]
    Damaged { path: PathBuf, lines: Vec<u64> },
    #[error("`{}` has lost the operations {first} to {last}", .path.display())]
    Lost { path: PathBuf, first: u64, last: u64 },
    #[error("operation {number} names {digest}, which is not {what}")]
    Unreadable { number: u64, digest: Digest, what: &'static str },
    #[error(transparent)]
    Lock(#[from] LockError),
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
            OperationsError::Lost { .. } => Self::new(ErrorKind::Corrupt, message).hint(
                "restore the file from a backup; if there is none, delete `operations.last` beside it, and with it what is \
                 known of them",
            ),
            OperationsError::Unreadable { .. } => {
                Self::new(ErrorKind::Corrupt, message).hint("see `stemma verify`; the operations after it are usable")
            }
            OperationsError::Lock(error) => error.into(),
            OperationsError::Store(error) => problem::of_store(error),
        }
    }
}
