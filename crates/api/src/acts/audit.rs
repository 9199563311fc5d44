//! The ledger: its events, its signed head, and its verification.

use stemma_core::{event::HistoryAccepted, history::KeySuccession};

use crate::types::*;

acts! {
    EVENTS as audit_events: GET /audit/events ? FindEvents => Page<AuditEvent>,
        Audit in Home, Ordinary, "governed changes by what they are about, when, by whom";
    /// Who was refused, and who read content, models and predictions.
    ACCESS as find_access: GET /audit/access ? FindAccess => FoundAccess,
        Audit in Home, Heavy, "who was refused, and who read content, models and predictions";
    VERIFY as audit_verify: POST /audit/verify => AuditReport,
        Audit in Home, Heavy, "check everything that answers rest on against the ledger and its signature";
    CHECKPOINT as checkpoint: GET /audit/checkpoint => Checkpoint,
        Audit in Home, Ordinary, "the signed head of the ledger";
    /// That an event is in the history, for somebody who has this document and the home's key.
    PROVE as prove_event: GET /audit/proofs/{event: u64} => InclusionProof,
        Audit in Home, Ordinary, "that an event is in the history: a proof that is verified without us";
    /// That one length of the history is a beginning of another.
    CONSISTENCY as prove_beginning: GET /audit/consistency ? Lengths => BeginningProof,
        Audit in Home, Ordinary, "that a history is a beginning of a longer one: a proof that is verified without us";
    /// Events as they are hashed, in the history of this length: all, or some with their paths.
    EXPORT as export_events: GET /audit/export/{events: u64} ? FindEvents => Page<ProvedEvent>,
        Audit in Home, Ordinary, "events as they are hashed, with what proves them in a history of this length";
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
