//! What goes wrong with the prediction log.

use stemma_core::{ErrorKind, Problem};
use stemma_gateway::{AppendError, LogError, SealError};

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

/// Why feedback can't be kept.
pub(crate) fn feedback_problem(error: AppendError) -> Problem {
    let message = match error {
        AppendError::NotWritable => "the feedback log is not writable".to_owned(),
        AppendError::QueueFull => "the feedback log is not keeping up".to_owned(),
        AppendError::Backlog => "the feedback log holds too much that is not sealed yet".to_owned(),
        AppendError::TooLarge { .. } | AppendError::Unwritable(_) => format!("feedback can't be kept: {error}"),
    };
    Problem::new(ErrorKind::Unavailable, message)
        .hint("see the server's log; feedback that is sent again is kept once, whatever was kept of it")
}

/// Why feedback can't be sealed.
pub(crate) fn feedback_seal_problem(error: SealError) -> Problem {
    match error {
        SealError::Log(error) => read_problem(error),
        SealError::Parquet { .. } => Problem::new(ErrorKind::Unavailable, format!("feedback can't be sealed: {error}")),
    }
}
