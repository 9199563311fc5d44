//! Places of the tree: how files and versions are named in it, and what is said of files.

use stemma_api::types::DatasetVersion;
use stemma_core::{
    Digest,
    id::RunId,
    lineage::{Node, NodeKind},
};

/// How much of a thing a walk is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Only what was said of it: it is another name of a file that goes its own way.
    Name,
    /// Everything.
    Whole,
}

/// What a file of the tree is, for people and for questions about its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNote {
    pub path: String,
    /// Absent if several files are drawn as one.
    pub digest: Option<Digest>,
    pub files: usize,
}

/// A file as a run left it.
pub fn written(run: RunId, path: &str) -> Node {
    Node::new(NodeKind::File, format!("{run}:{path}"))
}

/// A file of which nobody is known who wrote it.
pub fn unwritten(digest: Digest, path: &str) -> Node {
    Node::new(NodeKind::File, format!("{digest}:{path}"))
}

pub fn version_name(version: &DatasetVersion) -> String {
    format!("{}@{}", version.dataset, version.number)
}
