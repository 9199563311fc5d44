//! Seals over runs and other rows that no event made: an event commits to a batch of them, in the order in which they were written.
//!
//! The digest of a batch, version 1: that of the digests of its rows, one after the other; of a row, that of its columns:
//! a number as `i` and 8 bytes, a text or bytes as `t` or `b`, the length in 8 bytes, and itself. Little-endian.

use stemma_core::{
    Digest,
    event::{Event, SealedRows},
    id::RequestId,
    record::Actor,
};

use crate::{
    Commit, Ledger, LedgerError, Outcome,
    sql::{Row, Session, Value},
    writing::note,
};

/// Rows read at a time.
const PAGE: i64 = 500;
/// How often a seal is tried anew because others commit.
const ATTEMPTS: usize = 5;

/// Table and columns of rows that are sealed in batches; `place` counts from 1 without gaps.
pub const fn table_of(rows: SealedRows) -> (&'static str, &'static str) {
    match rows {
        SealedRows::Feedback => ("feedback", "place, project, prediction, body"),
        SealedRows::Grants => ("grant_entry", "place, project, act, contents"),
    }
}

impl Ledger {
    /// Seals the runs that are in no seal yet; returns how many.
    pub async fn seal_runs(&self, actor: &Actor) -> Result<u64, LedgerError> {
        self.seal(actor, || async { Ok(unsealed_runs(&mut self.read().await?).await?.into_iter().collect()) }).await
    }

    /// Seals feedback and grants that are in no seal yet; returns how many rows.
    pub async fn seal_rows(&self, actor: &Actor) -> Result<u64, LedgerError> {
        let unsealed = || async {
            let mut session = self.read().await?;
            let mut events = Vec::new();
            for rows in SealedRows::ALL {
                events.extend(unsealed(&mut session, rows).await?);
            }
            Ok(events)
        };
        self.seal(actor, unsealed).await
    }

    /// Commits seals, each with how many rows it is over. Only what others seal meanwhile is in the way.
    async fn seal<S>(&self, actor: &Actor, unsealed: impl Fn() -> S) -> Result<u64, LedgerError>
    where
        S: Future<Output = Result<Vec<(Event, u64)>, LedgerError>>,
    {
        for _ in 0..ATTEMPTS {
            let (premises, seals) = self.deciding(unsealed()).await;
            let (events, counts): (Vec<Event>, Vec<u64>) = seals?.into_iter().unzip();
            if events.is_empty() {
                return Ok(0);
            }
            let (request, premises) = (RequestId::generate(), Some(premises));
            let commit = Commit { actor: actor.clone(), request, premises, events, secret: None };
            if let Outcome::Committed { .. } = self.commit(commit).await? {
                return Ok(counts.iter().sum());
            }
        }
        // who was faster has sealed them
        Ok(0)
    }
}

/// The seal over the runs that are in none.
async fn unsealed_runs(session: &mut Session) -> Result<Option<(Event, u64)>, LedgerError> {
    note("run_seal", &[]);
    let last = session.row("SELECT MAX(last_run) AS last FROM run_seal", &[]).await?;
    let last = last.map(|row| row.optional_int("last")).transpose()?.flatten().unwrap_or(0);
    let rows =
        session.rows("SELECT place, digest FROM run WHERE place > $1 ORDER BY place", &[Value::Int(last)]).await?;
    let (Some(first), Some(newest)) = (rows.first(), rows.last()) else {
        return Ok(None);
    };
    let mut digests = Vec::new();
    for row in &rows {
        digests.extend_from_slice(row.parsed::<Digest>("digest")?.as_bytes());
    }
    let (first, last, count) = (first.int("place")?, newest.int("place")?, rows.len() as u64);
    Ok(Some((Event::RunsSealed { first, last, count, digest: Digest::of(&digests) }, count)))
}

/// The seal over the rows of a kind that are in none; nothing if there are no such rows.
async fn unsealed(session: &mut Session, rows: SealedRows) -> Result<Option<(Event, u64)>, LedgerError> {
    note("row_seal", &[("kind", rows.as_str().into())]);
    let sql = "SELECT MAX(last_row) AS last FROM row_seal WHERE kind = $1";
    let sealed = session.row(sql, &[rows.as_str().into()]).await?;
    let sealed = sealed.map(|row| row.optional_int("last")).transpose()?.flatten().unwrap_or(0);
    let (mut last, mut count, mut digests) = (sealed, 0, Vec::new());
    loop {
        let page = page_of(session, rows, last).await?;
        let Some(row) = page.last() else { break };
        last = row.int("place")?;
        count += page.len() as u64;
        page.iter().for_each(|row| digests.extend_from_slice(digest_of(row).as_bytes()));
    }
    let event = Event::RowsSealed { of: rows, first: sealed + 1, last, count, digest: Digest::of(&digests) };
    Ok((count > 0).then_some((event, count)))
}

/// Some rows of a kind behind a place, in order.
pub async fn page_of(session: &mut Session, rows: SealedRows, after: i64) -> Result<Vec<Row>, LedgerError> {
    let (table, columns) = table_of(rows);
    let sql = format!("SELECT {columns} FROM {table} WHERE place > $1 ORDER BY place LIMIT {PAGE}");
    session.rows(&sql, &[Value::Int(after)]).await
}

/// The digest of a row's columns in their order.
pub fn digest_of(row: &Row) -> Digest {
    let mut bytes = Vec::new();
    for value in row.values() {
        let (tag, column): (u8, &[u8]) = match value {
            Value::Int(number) => {
                bytes.push(b'i');
                bytes.extend_from_slice(&number.to_le_bytes());
                continue;
            }
            Value::Text(text) => (b't', text.as_bytes()),
            Value::Blob(blob) => (b'b', blob),
            // no column of a sealed table is one of these, unless somebody made it one
            Value::Real(_) | Value::NullText | Value::NullInt => (b'?', b""),
        };
        bytes.push(tag);
        bytes.extend_from_slice(&(column.len() as u64).to_le_bytes());
        bytes.extend_from_slice(column);
    }
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Database;

    #[tokio::test]
    async fn digests_of_rows_are_of_version_1() {
        let database = Database::open_memory().await.unwrap();
        let mut session = database.read().await.unwrap();
        let row = session.row("SELECT 258 AS place, 'ab' AS project, x'07' AS contents", &[]).await.unwrap().unwrap();
        let mut bytes = b"i\x02\x01\0\0\0\0\0\0".to_vec();
        bytes.extend(b"t\x02\0\0\0\0\0\0\0ab");
        bytes.extend(b"b\x01\0\0\0\0\0\0\0\x07");
        assert_eq!(digest_of(&row), Digest::of(&bytes));
    }
}
