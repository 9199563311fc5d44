//! Failures of lower rooms as problems with a kind and a hint.

use std::fmt::Display;

use stemma_core::{ErrorKind, Problem};

/// Something that should not happen; the message is for the log, not for callers.
pub fn internal(error: impl Display) -> Problem {
    Problem::new(ErrorKind::Internal, error.to_string())
}
