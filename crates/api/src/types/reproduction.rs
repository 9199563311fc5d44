//! Training a version again elsewhere, and how equal it came out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest,
    id::{EvidenceId, RunId},
    record::ExitStatus,
    reproduction::{EnvironmentDifference, RepeatedOutput, ReproductionLevel, ReproductionReport},
};

/// `POST …/models/{model}/versions/{version}/reproductions`: what was seen where it was trained again. The home compares
/// the models itself; they must be content that the project can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordReproduction {
    /// The weakest level that counts as passed.
    pub required: ReproductionLevel,
    /// What went in, in one line.
    pub inputs: String,
    /// What could not be had; then nothing was trained.
    #[serde(default)]
    pub missing: Vec<String>,
    #[serde(default)]
    pub trainings: Vec<TrainedAgain>,
    #[serde(default)]
    pub outputs: Vec<RepeatedOutput>,
    #[serde(default)]
    pub environment: Vec<EnvironmentDifference>,
    #[serde(default)]
    pub notes: Vec<String>,
}

/// One time that the command was run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrainedAgain {
    pub exit: ExitStatus,
    pub wall_us: u64,
    /// Absent if the model's file was not written.
    #[serde(default)]
    pub model: Option<Digest>,
    #[serde(default)]
    pub run: Option<RunId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reproduced {
    /// As in `credit-score@1.1.0`.
    pub version: String,
    pub evidence: EvidenceId,
    /// Content: the report as canonical JSON.
    pub digest: Digest,
    pub passed: bool,
    pub report: ReproductionReport,
}
