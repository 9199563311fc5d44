//! A view of the facts: now, or as of a moment; and how rows are read in it.

use serde::de::DeserializeOwned;
use stemma_core::Timestamp;

use super::moment::last_no_later;
use crate::{
    Ledger, LedgerError,
    event::{FACT, Fact, Recorded},
    sql::{Row, Session, Value},
    writing::note,
};

/// Most rows of one list.
const ROWS_MAX: usize = 100_000;
/// Contents named in one question to the database.
pub(crate) const DIGESTS_CHUNK: usize = 2000;

/// What is known: now, at each reading, or as of a moment that stays. Cheap to clone.
#[derive(Clone)]
pub struct View {
    ledger: Ledger,
    moment: Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Now,
    /// After this event.
    After(u64),
}

/// The database at one moment, seen as of a view's.
pub(crate) struct Reading {
    pub session: Session,
    moment: Moment,
}

/// Columns and what they must be. Whoever decides stands on all rows that are so.
pub(crate) type Key<'a> = &'a [(&'static str, Value)];

impl Ledger {
    /// What is known now; each reading is of the moment when it is made.
    pub fn now(&self) -> View {
        View { ledger: self.clone(), moment: Moment::Now }
    }

    /// What was known after an event.
    pub fn after(&self, seq: u64) -> View {
        View { ledger: self.clone(), moment: Moment::After(seq) }
    }

    /// What was known at a time: after the last event that is stamped no later.
    pub async fn at(&self, time: Timestamp) -> Result<View, LedgerError> {
        Ok(self.after(last_no_later(&mut self.read().await?, time).await?))
    }

    pub(crate) async fn read(&self) -> Result<Session, LedgerError> {
        self.database().read().await
    }
}

impl View {
    pub(crate) async fn read(&self) -> Result<Reading, LedgerError> {
        Ok(Reading { session: self.ledger.read().await?, moment: self.moment })
    }
}

impl Reading {
    /// A condition: a row of the table of this name holds.
    pub fn holds(&self, table: &str) -> String {
        match self.moment {
            Moment::Now => format!("{table}.to_seq IS NULL"),
            Moment::After(seq) => {
                format!("{} AND ({table}.to_seq IS NULL OR {table}.to_seq > {seq})", self.was_made(table))
            }
        }
    }

    /// A condition: there is a row of the table of this name, whether or not it holds still.
    pub fn was_made(&self, table: &str) -> String {
        match self.moment {
            Moment::Now => format!("{table}.from_seq > 0"),
            Moment::After(seq) => format!("{table}.from_seq <= {seq}"),
        }
    }

    /// The event that ended a row, if it had happened.
    pub fn end(&self, row: &Row) -> Result<Option<i64>, LedgerError> {
        let end = row.optional_int("to_seq")?;
        Ok(end.filter(|end| match self.moment {
            Moment::Now => true,
            Moment::After(seq) => u64::try_from(*end).is_ok_and(|end| end <= seq),
        }))
    }

    /// The rows under a key that hold, with the leaves that made them, oldest first. The table is `t` in the columns.
    pub async fn facts(&mut self, columns: &str, table: &'static str, key: Key<'_>) -> Result<Vec<Row>, LedgerError> {
        note(table, key);
        let mut wheres = vec![self.holds("t")];
        wheres.extend(key.iter().enumerate().map(|(at, (column, _))| format!("t.{column} = ${}", at + 1)));
        let values: Vec<Value> = key.iter().map(|(_, value)| value.clone()).collect();
        self.facts_where(columns, table, &wheres.join(" AND "), &values).await
    }

    /// The same under conditions of any kind, `$1…` their values; what was read must have been noted.
    pub async fn facts_where(
        &mut self,
        columns: &str,
        table: &str,
        wheres: &str,
        values: &[Value],
    ) -> Result<Vec<Row>, LedgerError> {
        let rows = self.facts_page(columns, table, wheres, "t.from_seq", ROWS_MAX + 1, values).await?;
        if rows.len() > ROWS_MAX {
            return Err(LedgerError::TooMany(ROWS_MAX));
        }
        Ok(rows)
    }

    /// The first of them in an order of their own.
    pub async fn facts_page(
        &mut self,
        columns: &str,
        table: &str,
        wheres: &str,
        order: &str,
        limit: usize,
        values: &[Value],
    ) -> Result<Vec<Row>, LedgerError> {
        let sql = format!(
            "SELECT {columns}, {FACT} FROM {table} t JOIN event ON event.seq = t.from_seq \
             WHERE {wheres} ORDER BY {order} LIMIT {limit}"
        );
        self.session.rows(&sql, values).await
    }

    /// Facts of which the body says all.
    pub async fn bodies<T: DeserializeOwned>(
        &mut self,
        table: &'static str,
        key: Key<'_>,
    ) -> Result<Vec<Recorded<T>>, LedgerError> {
        bodies(&self.facts("t.body AS body", table, key).await?)
    }
}

/// A row with the fact that made it.
pub(crate) fn recorded<T>(row: &Row, value: T) -> Result<Recorded<T>, LedgerError> {
    Ok(Recorded { value, fact: Fact::of(row)? })
}

pub(crate) fn bodies<T: DeserializeOwned>(rows: &[Row]) -> Result<Vec<Recorded<T>>, LedgerError> {
    rows.iter().map(|row| recorded(row, row.json("body")?)).collect()
}

pub(crate) fn text(value: impl std::fmt::Display) -> Value {
    Value::Text(value.to_string())
}
