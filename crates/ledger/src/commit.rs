//! The one way to change governed state: events become leaves and table rows in one transaction, or nothing happens.
//!
//! Whoever decides does so outside of any transaction, on what it read at some moment, and hands in what that was (its
//! [`Premises`]): if any of it changed since, the commit is refused as [`Outcome::Moved`] and the caller decides anew.
//! One writer drains a queue into one transaction, so that many commits share one fsync, each with a savepoint of its own;
//! nobody is answered before the database has committed.

mod premise;
mod tx;
mod writer;

use stemma_core::{
    event::Event,
    id::{RequestId, TokenId},
    record::Actor,
};

pub use self::premise::Premises;
pub(crate) use self::{
    premise::note,
    tx::{read_frontier, read_parts},
    writer::Writer,
};
use crate::{Ledger, LedgerError};

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
    /// Something that the decision stands on has changed; nothing was written.
    Moved,
}

impl Ledger {
    /// Commits a change, or finds that what it was decided on has changed. Secrets in the events' texts are left out.
    pub async fn commit(&self, mut commit: Commit) -> Result<Outcome, LedgerError> {
        commit.events.iter_mut().try_for_each(Event::make_fit).map_err(LedgerError::Unfit)?;
        self.write(|tx| Box::pin(tx.commit(commit))).await
    }

    /// Writes what is there already, as a commit would: whether the database takes a change at this moment.
    pub async fn try_to_write(&self) -> Result<(), LedgerError> {
        self.write(|tx| {
            Box::pin(async { tx.session.execute("UPDATE head SET id = id WHERE id = 1", &[]).await.map(drop) })
        })
        .await
    }
}
