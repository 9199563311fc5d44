//! Seals over rows that no event made: an event commits to a batch of them, in the order in which they were written.
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
};

/// Rows read at a time.
const PAGE: i64 = 500;
/// How often a seal is tried anew because others commit.
const ATTEMPTS: usize = 5;

/// Table and columns of rows that are sealed in batches; `place` counts from 1 without gaps.
pub(crate) const fn table_of(rows: SealedRows) -> (&'static str, &'static str) {
    match rows {
        SealedRows::Feedback => ("feedback", "place, project, prediction, body"),
        SealedRows::Grants => ("grant_entry", "place, project, act, contents"),
    }
}

impl Ledger {
    /// Seals feedback and grants that are in no seal yet; returns how many rows.
    pub async fn seal_rows(&self, actor: &Actor) -> Result<u64, LedgerError> {
        for _ in 0..ATTEMPTS {
            let mut session = self.read().await?;
            let head = session.row("SELECT size FROM head WHERE id = 1", &[]).await?;
            let head = head.ok_or_else(|| LedgerError::Damaged("the ledger has no head".to_owned()))?.int("size")?;
            let mut events = Vec::new();
            for rows in SealedRows::ALL {
                events.extend(unsealed(&mut session, rows).await?);
            }
            session.rollback().await?;
            if events.is_empty() {
                return Ok(0);
            }
            let count = events.iter().map(|event| if let Event::RowsSealed { count, .. } = event { *count } else { 0 });
            let (count, request, expected) = (count.sum(), RequestId::generate(), Some(head as u64));
            let commit = Commit { actor: actor.clone(), request, expected, events, token_hash: None };
            if let Outcome::Committed { .. } = self.commit(commit).await? {
                return Ok(count);
            }
        }
        Ok(0)
    }
}

/// The seal over the rows of a kind that are in none; nothing if there are no such rows.
async fn unsealed(session: &mut Session, rows: SealedRows) -> Result<Option<Event>, LedgerError> {
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
    Ok((count > 0).then_some(event))
}

/// Some rows of a kind behind a place, in order.
pub(crate) async fn page_of(session: &mut Session, rows: SealedRows, after: i64) -> Result<Vec<Row>, LedgerError> {
    let (table, columns) = table_of(rows);
    let sql = format!("SELECT {columns} FROM {table} WHERE place > $1 ORDER BY place LIMIT {PAGE}");
    session.rows(&sql, &[Value::Int(after)]).await
}

/// The digest of a row's columns in their order.
pub(crate) fn digest_of(row: &Row) -> Digest {
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
