//! Failures of lower rooms as problems with a kind and a hint.

use std::fmt::Display;

use stemma_core::{ErrorKind, Problem};
use stemma_ledger::LedgerError;
use stemma_store::StoreError;

/// A disk is full. Whoever waits until there is room may just ask again.
pub fn no_room(message: impl Into<String>) -> Problem {
    Problem::new(ErrorKind::NoRoom, message).hint("make room on it, then try again; nothing was changed")
}

/// Something that should not happen; the message is for the log, not for callers.
pub fn internal(error: impl Display) -> Problem {
    Problem::new(ErrorKind::Internal, error.to_string())
}

pub fn ledger_problem(error: LedgerError) -> Problem {
    if matches!(error, LedgerError::DiskFull) {
        return no_room(error.to_string());
    }
    let kind = error.kind();
    if let LedgerError::Unfit(problem) = error {
        return problem;
    }
    let problem = Problem::new(kind, error.to_string());
    match error {
        LedgerError::Key(_) => {
            return problem.hint("if the key lies elsewhere, name its file with `--signing-key` or STEMMA_SIGNING_KEY");
        }
        LedgerError::Newer(_) => {
            return problem
                .hint("a newer Stemma has opened this home: use that one, or a copy of the home from before");
        }
        LedgerError::Unreachable { .. } => {
            return problem
                .hint("is PostgreSQL running there, and does STEMMA_DATABASE or PGPASSWORD say the password?");
        }
        LedgerError::InUse(_) => {
            return problem.hint("one server at a time has a home: use that one with `--server URL`, or stop it first");
        }
        _ => {}
    }
    match kind {
        ErrorKind::Corrupt => problem.hint("`stemma audit verify` says where; bring the home back from a backup"),
        _ => problem,
    }
}

pub fn store_problem(error: StoreError) -> Problem {
    let text = error.to_string();
    match error {
        StoreError::NotFound(_) => Problem::not_found(text),
        StoreError::Corrupt { .. } => Problem::new(ErrorKind::Corrupt, text)
            .hint("bring the content back: `stemma verify --repair` puts back what a tracked file still has"),
        StoreError::TooLarge { .. } => Problem::new(ErrorKind::TooLarge, text),
        StoreError::DiskFull { .. } => no_room("the disk that holds the content is full"),
        _ => Problem::new(ErrorKind::Config, text),
    }
}
