//! Runs, in lists and whole.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{Digest, Timestamp, id::RunId, name::PrincipalName, record::RunRecord};

/// `POST …/runs`; every digest in the record must be readable in the project already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordRun {
    pub record: RunRecord,
    /// Digest of the record's canonical JSON.
    pub digest: Digest,
}

/// One line of a list of runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSummary {
    pub id: RunId,
    pub command: String,
    pub actor: PrincipalName,
    pub started: Timestamp,
    pub ended: Timestamp,
    pub succeeded: bool,
    pub commit: Option<String>,
    pub dirty: bool,
    pub capture_level: u8,
    pub inputs: u64,
    pub outputs: u64,
    pub params: BTreeMap<String, String>,
    pub claimed_metrics: BTreeMap<String, f64>,
}

/// A run with what is known of its files beyond the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunDetail {
    pub record: RunRecord,
    pub digest: Digest,
    pub hermetic_grade: char,
    /// Why the grade is no better, the weightiest first.
    #[serde(default)]
    pub hermetic_reasons: Vec<String>,
    /// `name@number` of the dataset versions that inputs and outputs are, by digest.
    pub datasets: BTreeMap<Digest, Vec<String>>,
    /// `model@version` of what was registered from this run.
    pub versions: Vec<String>,
    pub environment: Option<serde_json::Value>,
    /// Why the environment's document is not here, if it can't be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_unreadable: Option<String>,
}
