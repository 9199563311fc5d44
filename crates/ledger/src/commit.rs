//! The one way to change governed state: decide, append events to the tree, apply them to the tables, commit.

mod leaf;
mod tx;
mod writer;

use std::ops::Range;

use futures::future::BoxFuture;
use stemma_core::{event::Event, id::RequestId, record::Actor};

pub use self::tx::{Head, Tx};
pub(crate) use self::{
    leaf::{Leaf, Sealed, project_of},
    writer::Writer,
};
use crate::{CommitError, Ledger};

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed<T> {
    /// The events are in the ledger under these numbers.
    New { seqs: Range<u64>, value: T },
    /// The request was committed before, under these numbers; nothing was decided or written now.
    Before { seqs: Range<u64> },
}

impl<T> Committed<T> {
    pub fn seqs(&self) -> Range<u64> {
        match self {
            Self::New { seqs, .. } | Self::Before { seqs } => seqs.clone(),
        }
    }

    /// What the decision returned, if it was made now.
    pub fn value(self) -> Option<T> {
        match self {
            Self::New { value, .. } => Some(value),
            Self::Before { .. } => None,
        }
    }
}

impl Ledger {
    /// Commits what `decide` says, decided inside the transaction on the newest facts.
    ///
    /// Returns only after the database has made it durable. A request id that was committed before does nothing again.
    /// `decide` must not wait for anything but the transaction it gets: every other commit waits for it. Nothing is
    /// undone if the caller stops waiting.
    ///
    /// ```ignore
    /// ledger.commit(&actor, request, move |tx| Box::pin(async move {
    ///     let known = tx.principals().await?;
    ///     Ok((vec![Event::PrincipalAdded { principal }], known.len()))
    /// })).await
    /// ```
    pub async fn commit<T, F>(&self, actor: &Actor, request: RequestId, decide: F) -> Result<Committed<T>, CommitError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<(Vec<Event>, T), CommitError>> + Send + 'static,
    {
        let actor = actor.clone();
        self.write(move |tx| Box::pin(async move { tx.commit(&actor, request, decide).await })).await
    }
}
