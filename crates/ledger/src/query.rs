//! Typed reads of the tables, as they are now or as they were after any event.

mod dataset;
mod endpoint;
mod event;
mod evidence;
mod model;
mod rights;

use std::ops::{Deref, DerefMut};

use stemma_core::{Timestamp, record::Actor};

pub use self::{
    dataset::DatasetVersion,
    endpoint::{DeployedRevision, Endpoint, LogPart},
    event::{EVENTS_PAGE_MAX, EventFilter, EventRow},
    evidence::{Approval, Evidence, Promotion},
    model::{Alias, Model, ModelVersion, Policy},
    rights::{Grant, Principal, TokenHolder},
};
use crate::{
    LedgerError,
    sql::{Connection, Row, Value},
};

/// Who made a fact, when, and as which event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub seq: u64,
    pub time: Timestamp,
    pub actor: Actor,
}

impl Fact {
    fn from_row(row: &Row) -> Result<Self, LedgerError> {
        let actor = Actor {
            principal: row.parse("made_actor")?,
            auth: row.word("made_auth", stemma_core::record::Auth::parse)?,
        };
        Ok(Self { seq: row.number("from_seq")?, time: row.time("made_time")?, actor })
    }
}

/// A connection to read from, at one point in the ledger's history. A [`Tx`](crate::Tx) is one, too.
pub struct View {
    connection: Connection,
    at: Value,
}

impl View {
    /// Sees what is current.
    pub(crate) const fn now(connection: Connection) -> Self {
        Self { connection, at: Value::Int(i64::MAX) }
    }

    /// Sees what was current after event `seq`.
    pub(crate) fn at(connection: Connection, seq: u64) -> Self {
        let at = i64::try_from(seq).unwrap_or(i64::MAX);
        Self { connection, at: Value::Int(at) }
    }

    pub(crate) const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Rows that are current at this view's point; `$1` of the query is that point.
    async fn current<T>(
        &mut self,
        sql: &'static str,
        values: impl IntoIterator<Item = Value>,
        read: impl Fn(&Row) -> Result<T, LedgerError>,
    ) -> Result<Vec<T>, LedgerError> {
        let mut all = vec![self.at.clone()];
        all.extend(values);
        self.connection.rows(sql, &all).await?.iter().map(read).collect()
    }

    async fn current_one<T>(
        &mut self,
        sql: &'static str,
        values: impl IntoIterator<Item = Value>,
        read: impl Fn(&Row) -> Result<T, LedgerError>,
    ) -> Result<Option<T>, LedgerError> {
        Ok(self.current(sql, values, read).await?.into_iter().next())
    }
}

/// A view on one state of everything. End it to give its connection back; else that is closed.
pub struct Snapshot {
    view: View,
    ended: bool,
}

impl Snapshot {
    pub(crate) async fn begin(connection: Connection) -> Result<Self, LedgerError> {
        // from here on the connection is never used again with an open transaction in it
        let mut snapshot = Self { view: View::now(connection), ended: false };
        snapshot.connection.begin_snapshot().await?;
        Ok(snapshot)
    }

    pub async fn end(mut self) -> Result<(), LedgerError> {
        self.view.connection.script("ROLLBACK").await?;
        self.ended = true;
        Ok(())
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if !self.ended {
            self.view.connection.discard();
        }
    }
}

impl Deref for Snapshot {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

impl DerefMut for Snapshot {
    fn deref_mut(&mut self) -> &mut View {
        &mut self.view
    }
}

/// `facts!("table", "AND … ORDER BY …")`: the rows `x` of a table that are current at `$1`, with their event.
macro_rules! facts {
    ($table:literal, $rest:literal) => {
        concat!(
            "SELECT x.*, e.time AS made_time, e.actor AS made_actor, e.auth AS made_auth FROM ",
            $table,
            " x JOIN event e ON e.seq = x.from_seq",
            " WHERE x.from_seq <= $1 AND (x.to_seq IS NULL OR x.to_seq > $1) ",
            $rest
        )
    };
}
/// Like `facts!`, also with rows that have ended by then: the whole history up to `$1`.
macro_rules! history {
    ($table:literal, $rest:literal) => {
        concat!(
            "SELECT x.*, e.time AS made_time, e.actor AS made_actor, e.auth AS made_auth FROM ",
            $table,
            " x JOIN event e ON e.seq = x.from_seq WHERE x.from_seq <= $1 ",
            $rest
        )
    };
}
use {facts, history};
