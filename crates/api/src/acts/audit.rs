//! The ledger: its events, its signed head, and its verification.

use stemma_core::{event::HistoryAccepted, history::KeySuccession};

use crate::types::*;

acts! {
    EVENTS as audit_events: GET /audit/events ? Paging<u64, 100> => Page<AuditEvent>,
        Audit in Home, Ordinary, "governed changes in order";
    VERIFY as audit_verify: POST /audit/verify => AuditReport,
        Audit in Home, Heavy, "check everything that answers rest on against the ledger and its signature";
    CHECKPOINT as checkpoint: GET /audit/checkpoint => Checkpoint,
        Audit in Home, Ordinary, "the signed head of the ledger";
    /// Makes what was remembered, and is not a beginning of this history, a fact of it.
    ACCEPT as accept_history: POST /audit/accept, HistoryAccepted => HistoryAccepted,
        ManageRights in Home, Ordinary, "go on with this history although another is remembered";
    /// Has the home sign with a new key.
    ROTATE_KEY as rotate_key: POST /audit/key => KeySuccession,
        ManageRights in Home, Ordinary, "sign with a new key from now on";
    /// What the server found when it read stored content back.
    CONTENT as content_health: GET /audit/content => ContentHealth,
        Audit in Home, Ordinary, "what was found when stored content was read back";
}
