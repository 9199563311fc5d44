//! Which content must be there for facts to be what they say, and whose it is.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::{
    Digest,
    event::Event,
    naming::{ContentForm, NamedContent},
    record::RunRecord,
};

use crate::{
    LedgerError,
    row::grant::CHUNK,
    sql::{Row, Session, Value},
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

/// The same, each with its form: for whoever looks in it for what it names in turn.
pub async fn named(session: &mut Session) -> Result<Vec<NamedContent>, LedgerError> {
    let mut named: BTreeMap<(Digest, ContentForm), String> = BTreeMap::new();
    let mut add = |contents: Vec<NamedContent>| {
        for content in contents {
            named.entry((content.digest, content.form)).or_insert(content.what);
        }
    };
    each(session, "event_body", "seq", "body", &mut |event: Event| add(event.contents())).await?;
    each(session, "run", "place", "record", &mut |record: RunRecord| add(record.contents())).await?;
    add(records_of_runs(session).await?);
    let purged = purged(session).await?;
    named.retain(|(digest, _), _| !purged.contains(digest));
    Ok(named.into_iter().map(|((digest, form), what)| NamedContent { digest, form, what }).collect())
}

/// Those of the digests that some project was granted: they have been here.
pub async fn granted(session: &mut Session, digests: &[Digest]) -> Result<BTreeSet<Digest>, LedgerError> {
    let sql = format!(
        "SELECT DISTINCT digest FROM content_grant WHERE digest IN (SELECT list.value->>0 FROM {})",
        session.list_at(1)
    );
    let mut granted = BTreeSet::new();
    for chunk in digests.chunks(CHUNK) {
        let rows = session.rows(&sql, &[Value::list(chunk.iter().map(|digest| [digest]))?]).await?;
        for row in &rows {
            granted.insert(row.parsed("digest")?);
        }
    }
    Ok(granted)
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
    add(needed, records_of_runs(session).await?);
    each(session, "run", "place", "record", &mut |record: RunRecord| add(needed, record.contents())).await
}

async fn records_of_runs(session: &mut Session) -> Result<Vec<NamedContent>, LedgerError> {
    let rows = session.rows("SELECT run, digest FROM run", &[]).await?;
    let named = |row: &Row| {
        let what = format!("the record of run {}", row.text("run")?);
        Ok(NamedContent { digest: row.parsed("digest")?, form: ContentForm::Plain, what })
    };
    rows.iter().map(named).collect()
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
