//! How data came to be what it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{external::External, id::RunId, name::DatasetName};

use super::{AddDatasetVersion, Fact};

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
