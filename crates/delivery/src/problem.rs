//! What goes wrong with the prediction log.

use stemma_core::{ErrorKind, Problem};
use stemma_gateway::LogError;

pub(crate) fn log_problem(error: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorKind::Unavailable, error.to_string())
        .hint("the prediction log can't be read or written; see the server's log")
}

/// What reading the open log has met: altered bytes are another thing than a disk that does not answer.
pub(crate) fn read_problem(error: LogError) -> Problem {
    let message = error.to_string();
    match error {
        LogError::Corrupt { .. } => Problem::new(ErrorKind::Corrupt, message)
            .hint("`stemma audit verify` says what else is gone; bring the segment back from a backup"),
        error => log_problem(error),
    }
}
