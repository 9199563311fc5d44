//! The ledger's events and its signed head.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{Timestamp, event::Event, id::RequestId, name::PrincipalName, record::Auth};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEvent {
    pub seq: u64,
    pub time: Timestamp,
    pub actor: PrincipalName,
    pub auth: Auth,
    pub kind: String,
    pub subject: String,
    pub request: RequestId,
    pub event: Event,
}

/// `GET /api/v1/audit/checkpoint`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// A C2SP signed note.
    pub note: String,
    /// The verifier key of the note.
    pub key: String,
}
