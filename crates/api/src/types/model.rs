//! Models, in lists and with their versions.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    name::{AliasName, ModelName},
    policy::ModelPolicy,
    version::VersionNumber,
};

use super::{fact::Fact, version::ModelVersion};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelSummary {
    pub model: ModelName,
    pub versions: u64,
    pub newest: Option<VersionNumber>,
    pub aliases: BTreeMap<AliasName, VersionNumber>,
    pub production: Vec<VersionNumber>,
    /// Versions that are kept back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<VersionNumber>,
    pub created: Fact,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelDetail {
    pub summary: ModelSummary,
    /// A page of them, newest first.
    pub versions: Vec<ModelVersion>,
    /// Where the next page of versions begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    pub policy: ModelPolicy,
    /// Primary metric of each evaluated version of the page, by number.
    pub primary: BTreeMap<String, f64>,
    /// Those of them that a command answered for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub by_command: BTreeSet<String>,
}
