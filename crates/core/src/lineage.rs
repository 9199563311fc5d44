//! The family tree: nodes, and edges that point the way data flows.

pub mod completeness;
pub mod origin;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a node stands for. Predictions are not nodes: they are log rows that point at a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A blob or tree; key `b3:<hex>`. Says what bytes are, not who made them.
    Content,
    /// A file as one run left it, key `<run>:<path>`; or as it lay there when nobody is known who wrote it, key
    /// `b3:<hex>:<path>`. A path that ends in `/` stands for several files below it.
    File,
    /// Key `name@number`.
    DatasetVersion,
    /// A Git commit plus uncommitted diff; key `<commit>` or `<commit>+b3:<hex of the diff>`.
    CodeVersion,
    /// Key: digest of its canonical JSON.
    Environment,
    /// Key: run id.
    Run,
    /// Key `name@1.2.0`.
    ModelVersion,
    /// Key: evidence id.
    Evidence,
    /// Key: approval id.
    Approval,
    /// Key `endpoint#number`.
    Revision,
    /// Something we did not hash: a URL, a host, a table; key as given.
    External,
}

impl NodeKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::File => "file",
            Self::DatasetVersion => "dataset_version",
            Self::CodeVersion => "code_version",
            Self::Environment => "environment",
            Self::Run => "run",
            Self::ModelVersion => "model_version",
            Self::Evidence => "evidence",
            Self::Approval => "approval",
            Self::Revision => "revision",
            Self::External => "external",
        }
    }

    pub const ALL: [Self; 11] = [
        Self::Content,
        Self::File,
        Self::DatasetVersion,
        Self::CodeVersion,
        Self::Environment,
        Self::Run,
        Self::ModelVersion,
        Self::Evidence,
        Self::Approval,
        Self::Revision,
        Self::External,
    ];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One thing in the tree. Its key holds no project: edges carry that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    pub kind: NodeKind,
    pub key: String,
}

impl Node {
    pub fn new(kind: NodeKind, key: impl fmt::Display) -> Self {
        Self { kind, key: key.to_string() }
    }
}

/// Why two nodes are connected; the direction is that of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// file, dataset version or content → run
    Read,
    /// code version or file → run
    RanCode,
    /// environment → run
    RanEnvironment,
    /// run → file, dataset version or content
    Wrote,
    /// file → dataset version or model version that it is; content → what has these bytes
    VersionOf,
    /// file or content → dataset version of a folder that holds it
    PartOf,
    /// run → model version that it produced
    Produced,
    /// external source → dataset version
    SourceOf,
    /// declared: content, dataset version or model version → one of these that was made from it; seen: revision → dataset
    /// version of its predictions and what came of them
    Derived,
    /// dataset version → evidence
    EvaluatedOn,
    /// evidence → model version
    Evaluated,
    /// evidence → approval
    Decided,
    /// approval → model version
    Approved,
    /// model version → revision
    Serves,
}

impl EdgeKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::RanCode => "ran_code",
            Self::RanEnvironment => "ran_environment",
            Self::Wrote => "wrote",
            Self::VersionOf => "version_of",
            Self::PartOf => "part_of",
            Self::Produced => "produced",
            Self::SourceOf => "source_of",
            Self::Derived => "derived",
            Self::EvaluatedOn => "evaluated_on",
            Self::Evaluated => "evaluated",
            Self::Decided => "decided",
            Self::Approved => "approved",
            Self::Serves => "serves",
        }
    }

    /// Whether people may say that two things of these kinds are connected like this. What the home sees itself (who
    /// approved, what is served, which version is which content) can't be declared.
    pub fn may_be_declared(self, from: NodeKind, to: NodeKind) -> bool {
        use NodeKind as N;
        let data = |kind: NodeKind| matches!(kind, N::Content | N::DatasetVersion);
        match self {
            Self::Read => data(from) && matches!(to, N::Run),
            Self::Wrote => matches!(from, N::Run) && data(to),
            Self::Derived => {
                (data(from) || matches!(from, N::ModelVersion)) && (data(to) || matches!(to, N::ModelVersion))
            }
            Self::SourceOf => matches!(from, N::External) && data(to),
            Self::Produced => matches!(from, N::Run) && matches!(to, N::ModelVersion),
            _ => false,
        }
    }

    /// It connects a thing with another name of it, so a tree is read across it in both directions.
    pub const fn is_name(self) -> bool {
        matches!(self, Self::VersionOf | Self::PartOf)
    }

    /// The names under which people declare edges.
    pub const DECLARABLE: [(&'static str, EdgeKind); 5] = [
        ("derived", EdgeKind::Derived),
        ("source", EdgeKind::SourceOf),
        ("read", EdgeKind::Read),
        ("wrote", EdgeKind::Wrote),
        ("produced", EdgeKind::Produced),
    ];

    pub fn parse(text: &str) -> Option<Self> {
        const ALL: [EdgeKind; 14] = [
            EdgeKind::Read,
            EdgeKind::RanCode,
            EdgeKind::RanEnvironment,
            EdgeKind::Wrote,
            EdgeKind::VersionOf,
            EdgeKind::PartOf,
            EdgeKind::Produced,
            EdgeKind::SourceOf,
            EdgeKind::Derived,
            EdgeKind::EvaluatedOn,
            EdgeKind::Evaluated,
            EdgeKind::Decided,
            EdgeKind::Approved,
            EdgeKind::Serves,
        ];
        ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Which way to walk the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To what a thing was made from.
    #[default]
    Up,
    /// To what was made from it.
    Down,
}

impl Direction {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Up, Self::Down].into_iter().find(|direction| direction.as_str() == text)
    }
}

/// How we know of an edge; an answer is as strong as its weakest edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    Observed,
    Declared,
    Inferred,
    Imported,
}

impl Certainty {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Declared => "declared",
            Self::Inferred => "inferred",
            Self::Imported => "imported",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Observed, Self::Declared, Self::Inferred, Self::Imported].into_iter().find(|c| c.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Edge {
    pub from: Node,
    pub to: Node,
    pub kind: EdgeKind,
    /// For example `train` or `test`, where somebody declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    pub certainty: Certainty,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_declare_where_data_came_from_but_not_what_the_home_decides() {
        use NodeKind as N;
        for (kind, from, to, may) in [
            (EdgeKind::Derived, N::DatasetVersion, N::DatasetVersion, true),
            (EdgeKind::Derived, N::ModelVersion, N::ModelVersion, true),
            (EdgeKind::Derived, N::External, N::DatasetVersion, false),
            (EdgeKind::SourceOf, N::External, N::DatasetVersion, true),
            (EdgeKind::SourceOf, N::DatasetVersion, N::External, false),
            (EdgeKind::Read, N::DatasetVersion, N::Run, true),
            (EdgeKind::Read, N::Run, N::DatasetVersion, false),
            (EdgeKind::Wrote, N::Run, N::Content, true),
            (EdgeKind::Produced, N::Run, N::ModelVersion, true),
            (EdgeKind::Serves, N::ModelVersion, N::Revision, false),
            (EdgeKind::Approved, N::Approval, N::ModelVersion, false),
        ] {
            assert_eq!(kind.may_be_declared(from, to), may, "{kind:?} {from:?} {to:?}");
        }
    }
}
