//! Failures as problems with a kind and a hint.

use std::{fmt::Display, io, path::Path};

use stemma_core::{Digest, ErrorKind, Problem};
use stemma_store::StoreError;

/// Contents that are named in one message.
const NAMED_MAX: usize = 5;

pub fn unusable(path: &Path, error: &io::Error) -> Problem {
    let problem = Problem::new(ErrorKind::Config, format!("can't use `{}`: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::StorageFull => {
            Problem::new(ErrorKind::NoRoom, problem.message).hint("make room on the disk, then try again")
        }
        io::ErrorKind::PermissionDenied => problem.hint("it belongs to somebody else, or is read-only"),
        _ => problem,
    }
}

/// Something in a backup that is not what it was.
pub fn damaged(what: impl Display) -> Problem {
    Problem::new(ErrorKind::Corrupt, format!("the backup is damaged: {what}"))
        .hint("an earlier one may be whole: `stemma backup TARGET --list`, and choose it with `--backup ID`")
}

/// What keeps content of the home from being taken away.
pub fn of_home(error: StoreError) -> Problem {
    let problem = stemma_engine::problem::store_problem(error);
    match problem.kind {
        ErrorKind::Corrupt => Problem {
            hint: Some(
                "no backup is made of what is damaged: `stemma verify --repair` puts it back if it can".to_owned(),
            ),
            ..problem
        },
        _ => problem,
    }
}

/// Some of many contents, for people.
pub fn some(digests: &[Digest]) -> String {
    let named: Vec<String> = digests.iter().take(NAMED_MAX).map(|digest| format!("`{digest}`")).collect();
    match digests.len().saturating_sub(named.len()) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
