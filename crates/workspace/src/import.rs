//! Bringing in what other tools keep: DVC and git-lfs repositories, with their history.
//!
//! Their repositories are read and never written to. No name is believed: every object is hashed again by the tool's own
//! rule and gets our digests; what does not fit is left out and named, and the rest goes on.

mod dvc;
mod fault;
mod history;
mod lfs;
mod naming;
mod object;
mod take;

use std::sync::Arc;

use stemma_core::{Digest, name::TreePath};
use stemma_store::Lease;

#[cfg(fuzzing)]
pub use self::dvc::fuzzing;
use self::history::Revision;
pub use self::{
    dvc::{DvcRequest, import_dvc},
    fault::{Fault, FaultKind, ImportError, worst},
    lfs::{LfsRequest, import_lfs},
    naming::{choose_names, enter},
    take::Tally,
};

/// A content of a path in some revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Seen from the workspace, if the repository lies in it; else from the repository.
    pub path: TreePath,
    /// A blob, or a tree for a folder.
    pub digest: Digest,
    pub size: u64,
    /// The tool, the object, and the commit.
    pub source: String,
    /// The commit's subject.
    pub why: Option<String>,
    /// The repository's folder speaks of it as it stands there now.
    pub current: bool,
    /// How many contents the path has had in the repository's history, with this one; none if that was not looked up.
    pub place: Option<u32>,
}

/// What an import brought in.
pub struct Imported {
    /// Oldest revision first.
    pub found: Vec<Found>,
    pub faults: Vec<Fault>,
    /// What is worth knowing and no fault.
    pub notes: Vec<String>,
    pub tally: Tally,
    /// Commits with a pointer that counts.
    pub revisions: usize,
    /// Keeps the contents until somebody refers to them.
    pub lease: Lease,
}

/// Longest subject of a commit that is taken over.
const SUBJECT_CHARS_MAX: usize = 200;

/// Where a version came from, in one line.
fn source(tool: &str, object: &str, revision: Option<&Arc<Revision>>) -> String {
    match revision {
        Some(revision) => format!(
            "{tool} {object} in commit {} of {}, {}",
            revision.commit,
            cut(&revision.author),
            cut(&revision.time)
        ),
        None => format!("{tool} {object}, not committed"),
    }
}

fn why(revision: Option<&Arc<Revision>>) -> Option<String> {
    revision.map(|revision| cut(&revision.subject)).filter(|subject| !subject.is_empty())
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SUBJECT_CHARS_MAX).collect()
}
