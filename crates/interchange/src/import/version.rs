//! A version that another tool keeps, as it is told to the home.

use std::sync::Arc;

use stemma_core::{Digest, name::TreePath};

use super::history::Revision;

/// A content of a path in some revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignVersion {
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
    pub ordinal: Option<u32>,
}

impl ForeignVersion {
    /// As it is seen from the workspace, if the repository lies at `prefix` in it; else it is nothing of its folder's.
    pub fn at(mut self, prefix: Option<&str>) -> Self {
        match prefix.map(|prefix| TreePath::new(format!("{prefix}/{}", self.path).trim_start_matches('/'))) {
            Some(Ok(path)) => self.path = path,
            Some(Err(_)) | None => self.current = false,
        }
        self
    }
}

/// Longest subject of a commit that is taken over.
const SUBJECT_CHARS_MAX: usize = 200;

/// Where a version came from, in one line.
pub fn source(tool: &str, object: &str, revision: Option<&Arc<Revision>>) -> String {
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

/// The subject of its commit, if it has one.
pub fn why(revision: Option<&Arc<Revision>>) -> Option<String> {
    revision.map(|revision| cut(&revision.subject)).filter(|subject| !subject.is_empty())
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SUBJECT_CHARS_MAX).collect()
}
