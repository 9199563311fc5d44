//! Why a prediction is what it is, the same again, and what came of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use stemma_core::endpoint::feedback::{Feedback, FoundBy, Happening};
use stemma_core::{
    Digest, Timestamp,
    endpoint::prediction::{LoggedTensor, PredictionId, PredictionRecord},
    name::{EndpointName, ProjectName},
};

use super::{endpoint::DeployedRevision, lineage::FamilyTree, version::VersionDetail};

/// `POST /api/v1/predictions/{prediction}/feedback`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SendFeedback {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<f64>,
    /// What happened later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Happening>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Why an earlier label or reward was wrong; without it another one than the first is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<String>,
    /// The sender's own name of it, once for each prediction: the same again is the same fact, other feedback under it is
    /// refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// `POST /api/v1/projects/{project}/feedback`: on many predictions at once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SendFeedbacks {
    /// At most 50,000.
    pub feedback: Vec<FeedbackOn>,
}

/// Feedback with what it is about: a prediction's id, or an endpoint with a request's id or a unit.
///
/// Of several answered predictions with the request's id or unit in the window, it is about the newest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FeedbackOn {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The window; without it, the 30 days before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The end of the window; without it the event's time. A unit needs one of both, so that the same again finds the same
    /// prediction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    #[serde(flatten)]
    pub what: SendFeedback,
}

/// What became of feedback on many predictions. All that was kept is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FeedbackKept {
    pub kept: u64,
    /// So many were kept before and change nothing.
    pub known: u64,
    /// The first of the others, which were not kept.
    pub refused: Vec<RefusedItem>,
    /// How many were refused in all.
    #[serde(default)]
    pub refused_count: u64,
    /// What could not be looked at: of what was kept now, something may have been kept there before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
}

/// One thing of many that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedItem {
    /// Its place in the request, from 0.
    pub at: u64,
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// `GET /api/v1/predictions/{prediction}`: the whole answer to "why".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    pub prediction: PredictionId,
    #[serde(with = "early")]
    #[schemars(with = "early::Told<'static>")]
    pub record: PredictionRecord,
    /// `open segment` or the digest of the sealed Parquet file.
    pub stored_in: String,
    /// The project of the endpoint.
    pub project: ProjectName,
    /// What answered; absent if the prediction was reported: then nothing of it was seen here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<DeployedRevision>,
    /// The other predictions that were made in the same trace, in the order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub together: Vec<Together>,
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

/// Another prediction of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Together {
    pub prediction: PredictionId,
    pub endpoint: EndpointName,
    pub time: Timestamp,
    /// `answered`, `failed` or `refused`.
    pub status: String,
}

/// The record, with the names too that some of it had in records of version 1: who asks for these goes on finding them.
mod early {
    use schemars::JsonSchema;
    use serde::{Deserialize as _, Deserializer, Serialize, Serializer};
    use stemma_core::endpoint::prediction::{ArmTaken, Draw, GivenBy, PredictionRecord};

    #[derive(Serialize, JsonSchema)]
    pub struct Told<'a> {
        #[serde(flatten)]
        record: &'a PredictionRecord,
        /// The draw's unit, if the caller gave it.
        #[serde(skip_serializing_if = "Option::is_none")]
        unit: Option<&'a str>,
        /// The arm's name.
        #[serde(skip_serializing_if = "Option::is_none")]
        variant: Option<&'a str>,
        /// That of the arm, if it was drawn.
        #[serde(skip_serializing_if = "Option::is_none")]
        propensity: Option<f64>,
    }

    pub fn serialize<S: Serializer>(record: &PredictionRecord, serializer: S) -> Result<S::Ok, S::Error> {
        let given = |draw: &&Draw| draw.given_by == GivenBy::Caller;
        let told = Told {
            record,
            unit: record.draw.as_ref().filter(given).map(|draw| draw.unit.as_str()),
            variant: record.arm.as_ref().map(|arm| arm.name.as_str()),
            propensity: record.arm.as_ref().and_then(ArmTaken::propensity),
        };
        told.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PredictionRecord, D::Error> {
        PredictionRecord::deserialize(deserializer)
    }
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
