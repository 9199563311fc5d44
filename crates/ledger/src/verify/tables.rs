//! The tables: all events replayed into an empty database, and every row compared.

use std::collections::BTreeMap;

use stemma_core::event::Event;

use super::BadEvent;
use crate::{
    LedgerError,
    projection::{self, TABLES},
    sql::{Connection, Row, Value},
};

/// Events that are replayed or compared at once.
const WINDOW: u64 = 1000;

/// Replays all `events` of `live` into the empty `replayed` and returns the first event whose rows differ.
pub(super) async fn check(
    live: &mut Connection,
    replayed: &mut Connection,
    events: u64,
) -> Result<Option<BadEvent>, LedgerError> {
    if let Some(bad) = replay(live, replayed, events).await? {
        return Ok(Some(bad));
    }
    let mut lost: Option<BadEvent> = None;
    let mut added: Option<BadEvent> = None;
    for table in TABLES {
        let found = compare(live, replayed, table, events).await?;
        keep_first(&mut lost, found.lost);
        keep_first(&mut added, found.added);
    }
    keep_first(&mut added, unknown_token(live, events).await?);
    // a row under a wrong number is lost where it belongs; that is the event to name
    Ok(lost.or(added))
}

async fn replay(
    live: &mut Connection,
    replayed: &mut Connection,
    events: u64,
) -> Result<Option<BadEvent>, LedgerError> {
    replayed.migrate().await?;
    replayed.begin().await?;
    let mut done = 0;
    while done < events {
        let sql = "SELECT seq, body FROM event_body WHERE seq > $1 AND seq <= $2 ORDER BY seq";
        for row in live.rows(sql, &[Value::count(done)?, Value::count(done + WINDOW)?]).await? {
            let seq: u64 = row.number("seq")?;
            let event: Event = row.json("body")?;
            if let Err(error) = projection::apply(replayed, seq, &event).await {
                let what = format!("it does not follow from the events before it: {error}");
                return Ok(Some(BadEvent::new(seq, what)));
            }
        }
        done += WINDOW;
    }
    replayed.script("COMMIT").await?;
    Ok(None)
}

/// The first differences of one table.
#[derive(Default)]
struct Differences {
    /// A row that an event made is gone or not what it was.
    lost: Option<BadEvent>,
    /// A row is there that no event made.
    added: Option<BadEvent>,
}

async fn compare(
    live: &mut Connection,
    replayed: &mut Connection,
    table: &'static str,
    events: u64,
) -> Result<Differences, LedgerError> {
    let mut differences = Differences::default();
    let outside = format!("SELECT from_seq FROM {table} WHERE from_seq < 1 OR from_seq > $1 ORDER BY from_seq LIMIT 1");
    if let Some(row) = live.rows_of(outside.into(), &[Value::count(events)?]).await?.first() {
        let what = format!("table `{table}` has a row that says it was made by event {}", row.int("from_seq")?);
        differences.added = Some(BadEvent::new(events, what));
    }
    let sql = format!("SELECT * FROM {table} WHERE from_seq > $1 AND from_seq <= $2");
    let mut after = 0;
    // the first lost row of a table is enough; an added one may only be the other half of a lost one
    while after < events && differences.lost.is_none() {
        let window = [Value::count(after)?, Value::count(after + WINDOW)?];
        let expected = by_event(&replayed.rows_of(sql.clone().into(), &window).await?)?;
        let found = by_event(&live.rows_of(sql.clone().into(), &window).await?)?;
        for seq in after + 1..=(after + WINDOW).min(events) {
            let none = Vec::new();
            let pair = (expected.get(&seq).unwrap_or(&none), found.get(&seq).unwrap_or(&none));
            compare_event(table, seq, pair.0, pair.1, &mut differences);
        }
        after += WINDOW;
    }
    Ok(differences)
}

type Columns = BTreeMap<String, Value>;

fn by_event(rows: &[Row]) -> Result<BTreeMap<u64, Vec<Columns>>, LedgerError> {
    let mut events: BTreeMap<u64, Vec<Columns>> = BTreeMap::new();
    for row in rows {
        events.entry(row.number("from_seq")?).or_default().push(columns(row));
    }
    Ok(events)
}

fn columns(row: &Row) -> Columns {
    let without_kind = |value: &Value| match value {
        Value::Null(_) => Value::Null(crate::sql::Kind::Text),
        other => other.clone(),
    };
    row.columns().iter().map(|(name, value)| (name.clone(), without_kind(value))).collect()
}

fn compare_event(table: &str, seq: u64, expected: &[Columns], found: &[Columns], differences: &mut Differences) {
    let lost = without(expected, found);
    let added = without(found, expected);
    match (lost.first(), added.first()) {
        (None, None) => {}
        (None, Some(_)) => {
            let what = format!("table `{table}` has a row that it did not make");
            keep_first(&mut differences.added, Some(BadEvent::new(seq, what)));
        }
        (Some(_), None) => {
            let what = format!("its row in table `{table}` is missing");
            keep_first(&mut differences.lost, Some(BadEvent::new(seq, what)));
        }
        (Some(lost), Some(added)) => {
            let changed: Vec<String> = lost
                .iter()
                .filter(|(name, value)| added.get(*name) != Some(value))
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            let what = format!("its row in table `{table}` was changed: {}", changed.join(", "));
            keep_first(&mut differences.lost, Some(BadEvent::new(seq, what)));
        }
    }
}

/// The rows of `these` that are not among `others`, counting equal ones.
fn without<'r>(these: &'r [Columns], others: &[Columns]) -> Vec<&'r Columns> {
    let mut others: Vec<&Columns> = others.iter().collect();
    these
        .iter()
        .filter(|row| match others.iter().position(|other| other == row) {
            Some(at) => {
                others.swap_remove(at);
                false
            }
            None => true,
        })
        .collect()
}

fn keep_first(first: &mut Option<BadEvent>, found: Option<BadEvent>) {
    if let Some(found) = found
        && first.as_ref().is_none_or(|known| found.seq < known.seq)
    {
        *first = Some(found);
    }
}

/// A token's hash that no event covers would let somebody in.
async fn unknown_token(live: &mut Connection, events: u64) -> Result<Option<BadEvent>, LedgerError> {
    let sql = "SELECT h.token FROM token_hash h WHERE h.token NOT IN (SELECT t.token FROM token t) LIMIT 1";
    let row = live.row(sql, &[]).await?;
    row.map(|row| {
        let what = format!("table `token_hash` has a row of token `{}`, which no event issued", row.text("token")?);
        Ok(BadEvent::new(events, what))
    })
    .transpose()
}
