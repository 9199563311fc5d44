//! The events themselves, and the head.

use stemma_core::{
    Timestamp,
    event::Event,
    id::RequestId,
    name::ProjectName,
    record::{Actor, Auth},
};

use super::View;
use crate::{
    LedgerError,
    commit::Head,
    sql::{Row, Value},
};

/// Most events in one page.
pub const EVENTS_PAGE_MAX: u32 = 1000;

/// One event with its place in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    pub seq: u64,
    pub time: Timestamp,
    pub actor: Actor,
    pub kind: String,
    pub subject: String,
    pub project: Option<ProjectName>,
    pub request: RequestId,
    pub event: Event,
}

/// Which events are wanted; empty: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub kind: Option<String>,
    pub subject: Option<String>,
    pub project: Option<ProjectName>,
}

impl View {
    pub async fn head(&mut self) -> Result<Head, LedgerError> {
        let row = self.connection.row("SELECT size, frontier, time FROM ledger_head WHERE id = 1", &[]).await?;
        Head::from_row(&row.ok_or_else(|| LedgerError::corrupt("the database", "no head of the ledger"))?)
    }

    /// Events after a number, oldest first, at most `limit` and never more than 1,000.
    pub async fn events(&mut self, after: u64, limit: u32, filter: &EventFilter) -> Result<Vec<EventRow>, LedgerError> {
        let sql = "SELECT e.*, b.body FROM event e LEFT JOIN event_body b ON b.seq = e.seq
             WHERE e.seq <= $1 AND e.seq > $2
                AND ($4 = '' OR e.kind = $4) AND ($5 = '' OR e.subject = $5) AND ($6 = '' OR e.project = $6)
             ORDER BY e.seq LIMIT $3";
        let text = |text: Option<&str>| Value::from(text.unwrap_or_default());
        let values = [
            Value::count(after)?,
            limit.min(EVENTS_PAGE_MAX).into(),
            text(filter.kind.as_deref()),
            text(filter.subject.as_deref()),
            text(filter.project.as_ref().map(ProjectName::as_str)),
        ];
        self.current(sql, values, event_row).await
    }

    pub async fn event(&mut self, seq: u64) -> Result<Option<EventRow>, LedgerError> {
        let sql = "SELECT e.*, b.body FROM event e LEFT JOIN event_body b ON b.seq = e.seq
             WHERE e.seq <= $1 AND e.seq = $2";
        self.current_one(sql, [Value::count(seq)?], event_row).await
    }

    /// The events that a request made.
    pub async fn events_of_request(&mut self, request: RequestId) -> Result<Vec<EventRow>, LedgerError> {
        let sql = "SELECT e.*, b.body FROM event e LEFT JOIN event_body b ON b.seq = e.seq
             WHERE e.seq <= $1 AND e.request = $2 ORDER BY e.seq";
        self.current(sql, [Value::text(request)], event_row).await
    }

    /// The number of the newest event at a time; 0 if there was none.
    pub async fn seq_at(&mut self, time: Timestamp) -> Result<u64, LedgerError> {
        let sql = "SELECT COALESCE(MAX(seq), 0) AS seq FROM event WHERE seq <= $1 AND time <= $2";
        let seq = self.current_one(sql, [time.into()], |row| row.number("seq")).await?;
        Ok(seq.unwrap_or(0))
    }
}

fn event_row(row: &Row) -> Result<EventRow, LedgerError> {
    let actor = Actor { principal: row.parse("actor")?, auth: row.word("auth", Auth::parse)? };
    Ok(EventRow {
        seq: row.number("seq")?,
        time: row.time("time")?,
        actor,
        kind: row.text("kind")?.to_owned(),
        subject: row.text("subject")?.to_owned(),
        project: row.opt_parse("project")?,
        request: row.parse("request")?,
        event: row.json("body")?,
    })
}
