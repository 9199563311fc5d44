//! A change, asked for, and what became of it.

use stemma_core::{
    event::Event,
    id::{RequestId, TokenId},
    name::PrincipalName,
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
    /// What one of the events commits to, and is never part of a leaf.
    pub secret: Option<Secret>,
}

/// The hash of what lets somebody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    Token(TokenId, [u8; 32]),
    /// With the parameters that it was made with, as a PHC string; one that was there before is gone.
    Password(PrincipalName, String),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Committed as these seqs, now or (`repeated`) by an earlier commit under the same request id.
    Committed { first: u64, events: Vec<Event>, repeated: bool },
    /// This, on which the decision stands, has changed; nothing was written.
    Moved(Premise),
}
