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
        StoreError::Refused { .. } | StoreError::TooLarge { .. } => Problem::invalid(message),
        StoreError::DiskFull { .. } | StoreError::Io { .. } => Problem::new(ErrorKind::Config, message),
        StoreError::UnsupportedVersion { .. } => Problem::new(ErrorKind::Config, message).hint("use a newer Stemma"),
        _ => Problem::new(ErrorKind::Internal, message),
    }
}
