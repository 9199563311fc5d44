//! Facts, in order, and the tables derived from them.
//!
//! Governed state changes in one way: [`Ledger::commit`] decides inside a transaction, appends events as leaves of an
//! RFC 6962 Merkle tree, applies them to ordinary tables and commits. Reads are plain queries on those tables, through a
//! [`View`]. Runs, edges, feedback and content grants are append-only telemetry beside it. This crate owns all SQL and
//! runs it on SQLite and PostgreSQL alike; nothing else opens the database.

mod checkpoint;
mod commit;
mod error;
mod ledger;
mod projection;
mod query;
mod sql;
mod telemetry;
mod tree;
mod verify;

pub use crate::{
    checkpoint::{Checkpoint, NoteError, SignedCheckpoint, VerifierKey},
    commit::{Committed, Head, Tx},
    error::{CommitError, LedgerError},
    ledger::{Ledger, LedgerOptions},
    query::{
        Alias, Approval, DatasetVersion, DeployedRevision, EVENTS_PAGE_MAX, Endpoint, EventFilter, EventRow, Evidence,
        Fact, Grant, LogPart, Model, ModelVersion, Policy, Principal, Promotion, Snapshot, TokenHolder, View,
    },
    sql::LedgerUrl,
    telemetry::{ContentGrant, ContentKind, EdgeList, FeedbackRow, RunRow, RunsSeal},
    tree::{ProofError, TreeHash, verify_consistency, verify_inclusion},
    verify::{BadEvent, CheckpointState, VerifyReport},
};
