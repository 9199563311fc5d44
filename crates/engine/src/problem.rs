//! Failures of lower rooms as problems with a kind and a hint.

use std::fmt::Display;

use stemma_core::{ErrorKind, Problem};

/// A disk is full. Whoever waits until there is room may just ask again.
pub fn no_room(message: impl Into<String>) -> Problem {
    Problem::new(ErrorKind::NoRoom, message).hint("make room on it, then try again; nothing was changed")
}

/// Something that should not happen; the message is for the log, not for callers.
pub fn internal(error: impl Display) -> Problem {
    Problem::new(ErrorKind::Internal, error.to_string())
}
