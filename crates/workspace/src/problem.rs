//! Failures of the store as problems with a kind and a hint.

use stemma_core::{ErrorKind, Problem};
use stemma_store::StoreError;

pub(crate) fn of_store(error: StoreError) -> Problem {
    let message = error.to_string();
    match error {
        StoreError::NotFound(_) => Problem::not_found(message),
        StoreError::Corrupt { .. } => {
            Problem::new(ErrorKind::Corrupt, message).hint("see `stemma verify`; adding the same file again repairs it")
        }
        StoreError::Changed(_) => {
            Problem::new(ErrorKind::Conflict, message).hint("try again when nothing writes to it")
        }
        StoreError::Refused { reason, .. } if reason.contains("tool's own folder") => Problem::invalid(message)
            .hint("a folder is kept with all that is in it or not at all; move it out, or add the folders beside it"),
        StoreError::Refused { reason, .. } if reason.contains("leads out") => {
            Problem::invalid(message).hint("put what it points at into the folder")
        }
        StoreError::Refused { .. } | StoreError::TooLarge { .. } => Problem::invalid(message),
        StoreError::DiskFull { .. } | StoreError::Io { .. } => Problem::new(ErrorKind::Config, message),
        StoreError::UnsupportedVersion { .. } => Problem::new(ErrorKind::Config, message).hint("use a newer Stemma"),
        _ => Problem::new(ErrorKind::Internal, message),
    }
}
