//! The one way to change governed state: events become leaves and table rows in one transaction, or nothing happens.
//!
//! Whoever decides does so outside of any transaction, on what it read at some moment, and hands in what that was (its
//! [`Premises`]): if any of it changed since, the commit is refused as [`Outcome::Moved`] and the caller decides anew.
//! One writer drains a queue into one transaction, so that many commits share one fsync, each with a savepoint of its own;
//! nobody is answered before the database has committed.

use futures::future::BoxFuture;
use stemma_core::event::Event;

use crate::{
    Ledger, LedgerError,
    writing::{Commit, Outcome, Premise, Premises, Turn, Tx},
};

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

    /// Makes a decision, and notes what it reads of this ledger. What it reads in tasks that it spawns is not noted: there
    /// must be none that read.
    pub async fn deciding<T>(&self, decision: impl Future<Output = T>) -> (Premises, T) {
        Premises::of(self.head_seq(), decision).await
    }

    /// Waits until it is the caller's turn to decide anew on what a commit was refused for; to be held until the next
    /// commit. `held` is the turn of the decision that was refused, if it had one.
    pub async fn turn(&self, held: Option<Turn>, moved: Premise) -> Turn {
        self.turns().take(held, moved).await
    }

    /// Does a piece of work in the writer's transaction; everything that changes the database goes through here.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, LedgerError>> + Send + 'static,
    {
        self.writer().write(work).await
    }
}
