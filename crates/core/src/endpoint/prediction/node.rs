//! What one step of a graph did for one request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    endpoint::target::{Identity, StepKind},
    name::ModelName,
    signature::Datatype,
    version::VersionNumber,
};

/// A named tensor as it is logged and shown: Open Inference Protocol JSON with flat, row-major data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoggedTensor {
    pub name: String,
    pub datatype: Datatype,
    pub shape: Vec<usize>,
    /// A JSON array; non-finite numbers are the strings `NaN`, `Infinity`, `-Infinity`.
    pub data: Value,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeEnding {
    Answered,
    Failed,
    TimedOut,
    /// It was not needed.
    Skipped,
}

impl NodeEnding {
    const ALL: [Self; 4] = [Self::Answered, Self::Failed, Self::TimedOut, Self::Skipped];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Skipped => "skipped",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.as_str() == text)
    }
}

/// What one step of the graph did for one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeRecord {
    /// Name of the step.
    pub node: String,
    pub kind: StepKind,
    /// `digest`, or `external` where we don't have the bytes.
    #[serde(flatten)]
    pub what: Identity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionNumber>,
    /// From the arrival of the request; absent in records of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_us: Option<u64>,
    pub latency_us: u64,
    /// Absent in records of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<NodeEnding>,
    /// What it gave; left out where it is the same as the record's outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<LoggedTensor>,
}

impl NodeRecord {
    /// `credit-score@1.1.0`, if it is a model's version.
    pub fn model_version(&self) -> Option<String> {
        Some(format!("{}@{}", self.model.as_ref()?, self.version.as_ref()?))
    }

    /// What it asked, for people: a model's version, or else its digest or its name outside.
    pub fn asked(&self) -> String {
        self.model_version().unwrap_or_else(|| match &self.what {
            Identity::Digest(digest) => format!("{} {digest}", self.kind.as_str()),
            Identity::External(name) => format!("{} {name}", self.kind.as_str()),
        })
    }
}
