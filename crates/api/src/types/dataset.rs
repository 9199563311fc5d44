//! Versions of datasets, and how data came to be what it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest, Sha256,
    external::External,
    id::{RunId, WorkspaceId},
    name::{DatasetName, ProjectName},
};

use super::fact::Fact;
use crate::act::Query;

/// `POST …/datasets/{dataset}/versions`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddDatasetVersion {
    pub digest: Digest,
    pub path: String,
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub why: Option<String>,
    #[serde(default)]
    pub derived_from: Vec<String>,
    /// The folder that the path is in, so that it is known which run wrote the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatasetVersion {
    pub project: ProjectName,
    pub dataset: DatasetName,
    pub number: u32,
    pub digest: Digest,
    pub sha256: Option<Sha256>,
    pub size: u64,
    pub path: String,
    pub source: Option<String>,
    pub why: Option<String>,
    pub derived_from: Vec<String>,
    pub run: Option<RunId>,
    /// Set if the data is kept elsewhere and was not hashed by us; then the digest is that of the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// The folder that the path is in; absent if nobody said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    pub added: Fact,
}

impl DatasetVersion {
    /// As in `german-credit@3`.
    pub fn name(&self) -> String {
        format!("{}@{}", self.dataset, self.number)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatasetVersionAdded {
    pub version: DatasetVersion,
    /// The same content had this number before; nothing was written.
    pub unchanged: bool,
}

/// `POST …/datasets/{dataset}/external`; nothing is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddExternalVersion {
    pub external: External,
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub why: Option<String>,
    #[serde(default)]
    pub derived_from: Vec<String>,
}

/// `POST …/datasets/{dataset}/imported`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddImportedVersion {
    #[serde(flatten)]
    pub add: AddDatasetVersion,
    /// How many contents the path has had in the other tool's history, with this one: its number, if that is free.
    pub place: u32,
}

/// A column that a record is found by, and its value there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyCell {
    pub column: String,
    pub value: String,
}

/// `GET …/datasets/{dataset}/blame?key=column%3Dvalue`, `key` once for each column: the story of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blame {
    pub dataset: DatasetName,
    pub key: Vec<KeyCell>,
    /// Oldest first. Versions that left the record as it was are not in it.
    pub changes: Vec<RecordChange>,
    /// Versions that were read.
    pub versions: u32,
    /// What could not be looked at, a line each.
    pub notes: Vec<String>,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordFate {
    Added,
    Changed,
    Removed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordChange {
    /// As in `german-credit@3`.
    pub version: String,
    pub what: RecordFate,
    /// The cells that differ; all of them if the record was added or removed.
    pub cells: Vec<CellChange>,
    /// The run that wrote the version.
    pub run: Option<RunId>,
    pub source: Option<String>,
    pub why: Option<String>,
    pub added: Fact,
}

/// A cell that is null, or whose column is not there, has no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CellChange {
    pub column: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// The record that `GET …/datasets/{dataset}/blame` tells the story of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordKey {
    /// As in `id=42`, once for each column.
    #[serde(default)]
    pub key: Vec<String>,
}

impl Query for RecordKey {
    const EXAMPLE: &'static str = "key=id%3D42";
}
