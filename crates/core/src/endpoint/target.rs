//! What answers in the end: one version of one model by its bytes, or another thing that computes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Digest, name::ModelName, version::VersionNumber};

/// A model version that takes requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    pub model: ModelName,
    pub version: VersionNumber,
    /// Digest of the version's content: the bytes that are loaded.
    pub digest: Digest,
}

impl fmt::Display for Target {
    /// `credit-score@1.1.0`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.model, self.version)
    }
}

/// What kind of thing a step asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A model version, in the gateway's own process.
    Model,
    /// The code that made the features for training.
    Feature,
    /// A program that the gateway started.
    Process,
    /// A server that we know and do not run.
    Remote,
    /// Something of which nothing but its name is known.
    External,
}

impl StepKind {
    const ALL: [Self; 5] = [Self::Model, Self::Feature, Self::Process, Self::Remote, Self::External];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Feature => "feature",
            Self::Process => "process",
            Self::Remote => "remote",
            Self::External => "external",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What exactly computes: the bytes, where we have them, or what it is called outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    Digest(Digest),
    External(String),
}

impl Identity {
    pub const fn digest(&self) -> Option<Digest> {
        match self {
            Self::Digest(digest) => Some(*digest),
            Self::External(_) => None,
        }
    }
}
