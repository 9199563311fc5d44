//! Which contents the facts name, and which they no longer may: what a collection of garbage goes by.

use std::collections::BTreeSet;

use stemma_core::{Digest, name::ProjectName};

use crate::{
    Ledger, LedgerError,
    query::{Recorded, recorded, recorded_sql},
    sql::{Row, Session, Value},
};

/// Rows read at a time.
const PAGE: i64 = 1000;
/// Contents named in one question to the database.
const NAMES_MAX: usize = 500;

/// Every text from which tables are made, with its key. Whatever else the database says of contents is derived from
/// these, but for the grants, which name content and need none.
const TEXTS: [(&str, &str, &str); 4] = [
    ("event_body", "seq", "body"),
    ("run", "place", "record"),
    // the record itself is content, too
    ("run", "place", "digest"),
    ("feedback", "place", "body"),
];

/// Content that was removed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    pub project: ProjectName,
    pub digest: Digest,
    pub reason: String,
}

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

    /// Who removed content for good, when and why.
    pub async fn tombstone(&self, digest: Digest) -> Result<Option<Recorded<Tombstone>>, LedgerError> {
        let mut session = self.read().await?;
        let rows = tombstones(&mut session, "t.digest = $1", &[Value::Text(digest.to_string())]).await?;
        Ok(rows.into_iter().next())
    }

    /// The first of these that was removed for good.
    pub async fn any_tombstone(&self, digests: &[Digest]) -> Result<Option<Recorded<Tombstone>>, LedgerError> {
        let mut session = self.read().await?;
        for part in digests.chunks(NAMES_MAX) {
            let places: Vec<String> = (1..=part.len()).map(|place| format!("${place}")).collect();
            let names: Vec<Value> = part.iter().map(|digest| Value::Text(digest.to_string())).collect();
            let found = tombstones(&mut session, &format!("t.digest IN ({})", places.join(", ")), &names).await?;
            if let Some(found) = found.into_iter().next() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// What was removed for good in a project.
    pub async fn tombstones(&self, project: &ProjectName) -> Result<Vec<Recorded<Tombstone>>, LedgerError> {
        let mut session = self.read().await?;
        tombstones(&mut session, "t.project = $1", &[Value::Text(project.to_string())]).await
    }
}

async fn tombstones(
    session: &mut Session,
    wheres: &str,
    values: &[Value],
) -> Result<Vec<Recorded<Tombstone>>, LedgerError> {
    let sql = recorded_sql("t.project AS project, t.digest AS digest, t.reason AS reason", "purged", wheres);
    let made = |row: &Row| {
        let (project, digest) = (row.parsed("project")?, row.parsed("digest")?);
        let tombstone = Tombstone { project, digest, reason: row.text("reason")? };
        recorded(row, tombstone)
    };
    session.rows(&sql, values).await?.iter().map(made).collect()
}
