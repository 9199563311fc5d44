//! Data that gets a version, and connections that nobody observed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Digest, Sha256,
    external::External,
    id::{RunId, WorkspaceId},
    lineage::{EdgeKind, Node},
    name::{DatasetName, ProjectName},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatasetVersionAdded {
    pub project: ProjectName,
    pub dataset: DatasetName,
    /// Counts from 1 within the dataset; a digest has one number per name.
    pub number: u32,
    pub digest: Digest,
    pub sha256: Option<Sha256>,
    pub size: u64,
    /// The path it was added from, relative to the workspace; of external data the reference in words.
    pub path: String,
    pub source: Option<String>,
    pub why: Option<String>,
    /// `name@number` of datasets it was made from, declared.
    #[serde(default)]
    pub derived_from: Vec<String>,
    /// The run that wrote it, if one did.
    pub run: Option<RunId>,
    /// What it stands for if the data is kept elsewhere: then the digest is that of the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// The folder that the path is in; absent if nobody said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// `endpoint#number` of the revisions whose predictions it was made from, and `model@number` of versions whose
    /// predictions were reported, if it was made from feedback.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered_by: Vec<String>,
}

/// A connection that nobody observed, with the reason for saying so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeclaredEdge {
    pub project: ProjectName,
    /// The direction is that of the data.
    pub from: Node,
    pub to: Node,
    pub kind: EdgeKind,
    pub why: String,
}
