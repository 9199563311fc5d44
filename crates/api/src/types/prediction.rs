//! Why a prediction is what it is, the same again, and what came of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest, Timestamp,
    name::PrincipalName,
    prediction::{LoggedTensor, PredictionId, PredictionRecord},
};

use super::{DeployedRevision, FamilyTree, VersionDetail};

/// `POST /api/v1/predictions/{prediction}/feedback`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SendFeedback {
    #[serde(default)]
    pub label: Option<String>,
    #[serde(default)]
    pub reward: Option<f64>,
    #[serde(default)]
    pub comment: Option<String>,
    /// Why an earlier label or reward was wrong; without it another one than the first is refused.
    #[serde(default)]
    pub correction: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Feedback {
    pub label: Option<String>,
    pub reward: Option<f64>,
    pub comment: Option<String>,
    /// Why the label or reward before it was wrong: this one holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<String>,
    pub time: Timestamp,
    pub from: PrincipalName,
}

/// `GET /api/v1/predictions/{prediction}`: the whole answer to "why".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    pub prediction: PredictionId,
    pub record: PredictionRecord,
    /// `open segment` or the digest of the sealed Parquet file.
    pub stored_in: String,
    pub revision: DeployedRevision,
    /// One per model that was consulted.
    pub models: Vec<VersionDetail>,
    pub feedback: Vec<Feedback>,
    pub tree: FamilyTree,
    /// Why the tree is not known to be complete; empty if it is.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Size and root of the ledger when this was asked.
    pub ledger_size: u64,
    pub ledger_root: String,
}

/// `POST /api/v1/predictions/{prediction}/replay` answers with this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Replay {
    pub prediction: PredictionId,
    pub version: String,
    pub digest: Digest,
    /// Every output has the same bits.
    pub same_bits: bool,
    pub outputs: Vec<OutputComparison>,
    /// The steps, if there were several.
    pub nodes: Vec<NodeComparison>,
}

/// A step that was run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeComparison {
    pub node: String,
    /// As in `credit-score@1.1.0`.
    pub version: String,
    pub digest: Digest,
    pub same_bits: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputComparison {
    pub name: String,
    pub same_bits: bool,
    pub recorded: LoggedTensor,
    pub replayed: LoggedTensor,
}
