//! A change, asked for, and what became of it.

use stemma_core::{
    event::Event,
    id::{RequestId, TokenId},
    record::Actor,
};

use super::premise::{Premise, Premises};

/// How much earlier than an event the next one may seem to be: clocks are corrected by small steps all the time.
pub const CLOCK_TOLERANCE_MICROS: i64 = 2_000_000;

/// One change, asked for.
#[derive(Debug, Clone)]
pub struct Commit {
    pub actor: Actor,
    /// Done at most once.
    pub request: RequestId,
    /// What the decision stands on; `None` commits whatever happened since.
    pub premises: Option<Premises>,
    pub events: Vec<Event>,
    /// Hash of a token that one of the events issues; never part of a leaf.
    pub token_hash: Option<(TokenId, [u8; 32])>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Committed as these seqs, now or (`repeated`) by an earlier commit under the same request id.
    Committed { first: u64, events: Vec<Event>, repeated: bool },
    /// This, on which the decision stands, has changed; nothing was written.
    Moved(Premise),
}
