//! What is decided about versions beside approving and promoting them: aliases, and what comes of a quarantine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    name::{AliasName, EndpointName, ModelName},
    policy::Stage,
    version::VersionNumber,
};

use super::{fact::Fact, version::ModelVersion};

/// What came of a quarantine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quarantined {
    pub version: ModelVersion,
    /// The endpoints that were taken from it.
    pub pulled: Vec<Pulled>,
    /// The endpoints that it still answers.
    pub answers: Vec<EndpointName>,
}

/// An endpoint that a version in quarantine was taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pulled {
    pub endpoint: EndpointName,
    /// Number of the revision that answered until then.
    pub from: u32,
    /// Number of the revision that answers now; absent if none may, and callers get 503 with the reason.
    pub to: Option<u32>,
}

/// `GET …/models/{model}/aliases`: what they point at, and what moved them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Aliases {
    pub model: ModelName,
    /// By name.
    pub aliases: Vec<Alias>,
    /// A page of all that moved them, newest first.
    pub moves: Vec<AliasMove>,
    /// Where the next page of moves begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alias {
    pub alias: AliasName,
    pub version: VersionNumber,
    /// The stage whose promotions move it; then nothing else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<Stage>,
    pub moved: Fact,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AliasMove {
    pub alias: AliasName,
    pub from: Option<VersionNumber>,
    /// Absent if it was removed.
    pub to: Option<VersionNumber>,
    /// Empty if a promotion moved it: that has a reason of its own.
    pub reason: String,
    pub moved: Fact,
}

/// `PUT …/models/{model}/aliases/{alias}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetAlias {
    /// A number, another alias or a stage.
    pub version: String,
    pub reason: String,
}

/// `POST …/models/{model}/aliases/{alias}/remove`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoveAlias {
    pub reason: String,
}

/// `POST …/models/{model}/promote-previous`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromotePrevious {
    pub stage: Stage,
    pub reason: String,
}
