//! Why a prediction is what it is, the same again, and what came of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest, Timestamp,
    endpoint::prediction::{LoggedTensor, PredictionId, PredictionRecord},
    name::PrincipalName,
};

use super::{endpoint::DeployedRevision, lineage::FamilyTree, version::VersionDetail};

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
    #[serde(with = "early")]
    #[schemars(with = "early::Told<'static>")]
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
