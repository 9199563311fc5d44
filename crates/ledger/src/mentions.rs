//! Which contents the facts name: what a collection of garbage goes by.

use std::collections::BTreeSet;

use stemma_core::Digest;

use crate::{Ledger, LedgerError, sql::Value};

/// Rows read at a time.
const PAGE: i64 = 1000;

/// Every text from which tables are made, with its key. Whatever else the database says of contents is derived from
/// these, but for the grants, which name content and need none.
const TEXTS: [(&str, &str, &str); 4] = [
    ("event_body", "seq", "body"),
    ("run", "place", "record"),
    // the record itself is content, too
    ("run", "place", "digest"),
    ("feedback", "place", "body"),
];

impl Ledger {
    /// Every content that any fact of the home names, of all projects and all times.
    pub async fn mentioned_content(&self) -> Result<BTreeSet<Digest>, LedgerError> {
        let mut session = self.read().await?;
        let mut mentioned = BTreeSet::new();
        for (table, key, column) in TEXTS {
            let mut last = i64::MIN;
            loop {
                let sql = format!(
                    "SELECT {key} AS place, {column} AS text FROM {table} WHERE {key} > $1 ORDER BY {key} LIMIT {PAGE}"
                );
                let rows = session.rows(&sql, &[Value::Int(last)]).await?;
                for row in &rows {
                    mentioned.extend(Digest::named_in(row.text("text")?.as_bytes()));
                }
                let Some(row) = rows.last() else { break };
                last = row.int("place")?;
            }
        }
        Ok(mentioned)
    }

    /// The contents that any project may read, each once, in order, behind `after`.
    pub async fn granted_content(&self, after: Option<Digest>) -> Result<Vec<Digest>, LedgerError> {
        let sql = format!("SELECT DISTINCT digest FROM content_grant WHERE digest > $1 ORDER BY digest LIMIT {PAGE}");
        let after = after.map(|digest| digest.to_string()).unwrap_or_default();
        let rows = self.read().await?.rows(&sql, &[Value::Text(after)]).await?;
        rows.iter().map(|row| row.parsed("digest")).collect()
    }
}
