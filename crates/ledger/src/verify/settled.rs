//! How what was found is told.

use stemma_core::audit::Check;

use crate::LedgerError;

/// A check that failed to be made has failed.
pub fn settled(name: &str, made: Result<Check, LedgerError>) -> Check {
    made.unwrap_or_else(|error| Check::impossible(name, error))
}

/// `1 run`, `2 runs`.
pub fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}
