//! That somebody said yes to a version.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest,
    id::{ApprovalId, EvidenceId},
    policy::Stage,
};

use super::fact::Fact;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    pub approval: ApprovalId,
    pub stage: Stage,
    pub subject: Digest,
    pub evidence: Vec<EvidenceId>,
    pub reason: String,
    /// Content: what the version's card said then; absent in approvals from before there were cards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Digest>,
    pub approved: Fact,
}
