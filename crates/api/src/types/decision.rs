//! What is decided about versions beside approving and promoting them: aliases, quarantine, and what is asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest,
    event::RequestOutcome,
    name::{AliasName, EndpointName, ModelName},
    policy::Stage,
    version::VersionNumber,
};

use super::{
    fact::Fact,
    version::{Approval, ModelVersion},
};

/// That a version is kept back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InQuarantine {
    pub reason: String,
    pub since: Fact,
}

/// `POST …/versions/{version}/quarantine`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetQuarantine {
    /// Callers of endpoints that nothing may answer for are told.
    pub reason: String,
    /// Each endpoint that it answers goes back to the newest clean revision in the same commit. Needs the right `deploy` too.
    #[serde(default)]
    pub pull: bool,
}

/// `POST …/versions/{version}/quarantine/lift`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LiftQuarantine {
    pub reason: String,
}

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

/// `POST …/versions/{version}/requests`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestPromotion {
    pub stage: Stage,
    pub comment: String,
}

/// `POST …/requests/{request}/comments`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommentOnRequest {
    pub comment: String,
}

/// `POST …/requests/{request}/withdraw` and `…/refuse`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CloseRequest {
    pub reason: String,
}

/// That a version be promoted, with all that was said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionRequest {
    /// Counts from 1 within the project.
    pub request: u32,
    pub model: ModelName,
    pub version: VersionNumber,
    pub digest: Digest,
    pub stage: Stage,
    pub comment: String,
    pub asked: Fact,
    /// Oldest first.
    pub comments: Vec<RequestComment>,
    /// Given for this version and stage since it was asked for, whether they count or not.
    pub approvals: Vec<Approval>,
    /// What the promotion needs still; absent if it waits no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// Absent while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<ClosedRequest>,
}

impl PromotionRequest {
    /// The version that it is about, as in `credit-score@1.1.0`.
    pub fn version_name(&self) -> String {
        format!("{}@{}", self.model, self.version)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestComment {
    pub comment: String,
    pub said: Fact,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClosedRequest {
    pub outcome: RequestOutcome,
    pub reason: String,
    pub closed: Fact,
}
