//! Which content must be there for facts to be what they say, and whose it is.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::{Digest, event::Event, naming::NamedContent, record::RunRecord};

use crate::{
    LedgerError,
    sql::{Session, Value},
};

/// Rows read at a time.
const PAGE: i64 = 200;

pub type Needed = BTreeMap<Digest, BTreeSet<String>>;

/// Every content that a fact needs, with who needs it; what was removed for good is needed no more.
pub async fn of_all(session: &mut Session) -> Result<Needed, LedgerError> {
    let mut needed = Needed::new();
    of_events(session, &mut needed).await?;
    of_runs(session, &mut needed).await?;
    for digest in purged(session).await? {
        needed.remove(&digest);
    }
    Ok(needed)
}

/// What was removed for good.
pub async fn purged(session: &mut Session) -> Result<BTreeSet<Digest>, LedgerError> {
    let rows = session.rows("SELECT digest FROM purged", &[]).await?;
    rows.iter().map(|row| row.parsed("digest")).collect()
}

/// What events name that is content. One that can't be read fails it all.
async fn of_events(session: &mut Session, needed: &mut Needed) -> Result<(), LedgerError> {
    each(session, "event_body", "seq", "body", &mut |event: Event| add(needed, event.contents())).await
}

/// What the records of runs name: themselves, the files, code and environment.
async fn of_runs(session: &mut Session, needed: &mut Needed) -> Result<(), LedgerError> {
    let rows = session.rows("SELECT run, digest FROM run", &[]).await?;
    for row in &rows {
        needed.entry(row.parsed("digest")?).or_default().insert(format!("the record of run {}", row.text("run")?));
    }
    each(session, "run", "place", "record", &mut |record: RunRecord| add(needed, record.contents())).await
}

fn add(needed: &mut Needed, contents: Vec<NamedContent>) {
    for content in contents {
        needed.entry(content.digest).or_default().insert(content.what);
    }
}

/// Reads all bodies of a table in order. One that can't be read fails it all: a part is not the whole.
pub async fn each<T: serde::de::DeserializeOwned>(
    session: &mut Session,
    table: &str,
    key: &str,
    column: &str,
    visit: &mut (impl FnMut(T) + Send),
) -> Result<(), LedgerError> {
    let sql =
        format!("SELECT {key} AS place, {column} AS body FROM {table} WHERE {key} > $1 ORDER BY {key} LIMIT {PAGE}");
    let mut last = i64::MIN;
    loop {
        let rows = session.rows(&sql, &[Value::Int(last)]).await?;
        let Some(row) = rows.last() else { return Ok(()) };
        last = row.int("place")?;
        for row in &rows {
            visit(row.json("body")?);
        }
    }
}
