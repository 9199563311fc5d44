//! What is asked for: that a version be promoted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{Digest, event::RequestOutcome, name::ModelName, policy::Stage, version::VersionNumber};

use super::{approval::Approval, fact::Fact};

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
