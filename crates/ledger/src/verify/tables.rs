//! Every table that events make, against one that a replay of all events made.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::audit::{Check, Fault};

use super::leaves::Walk;
use crate::{
    LedgerError, projection,
    sql::{Session, Value},
};

/// Tables with many rows for each thing, which the event of its id made; and ids that are looked at together.
const IN_PARTS: [&str; 2] = ["search_entry", "search_fact"];
const PART: i64 = 5000;
/// Longest part of a row that is shown.
const SHOWN_CHARS: usize = 300;

/// Those of them that the live database has.
pub async fn check(
    live: &mut Session,
    replayed: &mut Session,
    made: &BTreeSet<String>,
    walk: &Walk,
) -> Result<Check, LedgerError> {
    let mut check = Check::new("tables", "tables equal a replay of all events");
    let mut faults = Vec::new();
    for (table, columns) in projection::TABLES.into_iter().filter(|(table, _)| made.contains(*table)) {
        check.looked_at += 1;
        if let Err(error) = compare(live, replayed, table, columns, walk, &mut faults).await {
            faults.push(Fault::at(format!("table `{table}`"), error.to_string()));
        }
    }
    faults.sort_by_key(|fault| fault.seq);
    faults.into_iter().for_each(|fault| check.fault(fault));
    if !walk.unread.is_empty() {
        let events = walk.unread.iter().take(20).map(u64::to_string).collect::<Vec<_>>().join(", ");
        check.leave_out(format!("rows of events that can't be read: {events}"));
    }
    Ok(check)
}

async fn compare(
    live: &mut Session,
    replayed: &mut Session,
    table: &str,
    columns: &str,
    walk: &Walk,
    faults: &mut Vec<Fault>,
) -> Result<(), LedgerError> {
    for part in parts(table, walk) {
        compare_part(
            live,
            replayed,
            table,
            &format!("SELECT {columns}, from_seq, to_seq FROM {table}{part}"),
            walk,
            faults,
        )
        .await?;
    }
    Ok(())
}

/// The parts in which a table is compared: one with many rows for each event is not to be held whole.
fn parts(table: &str, walk: &Walk) -> Vec<String> {
    if !IN_PARTS.contains(&table) {
        return vec![String::new()];
    }
    let end = walk.frontier.size() as i64 + 1;
    let starts = (0..end).step_by(PART as usize);
    let inside = starts.map(|start| format!(" WHERE id >= {start} AND id < {}", (start + PART).min(end)));
    inside.chain([format!(" WHERE NOT (id >= 0 AND id < {end})")]).collect()
}

async fn compare_part(
    live: &mut Session,
    replayed: &mut Session,
    table: &str,
    sql: &str,
    walk: &Walk,
    faults: &mut Vec<Fault>,
) -> Result<(), LedgerError> {
    let want = rows_by_text(replayed, sql).await?;
    let mut have = RowCounts::new();
    for (text, (number, seq)) in rows_by_text(live, sql).await? {
        have.entry(as_replayed(text, &want, walk)).or_insert((0, seq)).0 += number;
    }
    for (text, surplus, seq) in differences(&have, &want) {
        if walk.unread.contains(&seq) {
            continue;
        }
        let what = if surplus > 0 {
            "has a row that no event made"
        } else {
            "lacks a row that this event made, or it was altered"
        };
        faults.push(Fault::of_event(seq, format!("table `{table}` {what}: {text}")));
    }
    Ok(())
}

/// A row that an unreadable event ended goes on in the replay, to the end or to another event.
fn as_replayed(row: String, want: &RowCounts, walk: &Walk) -> String {
    const ENDED: &str = "|to_seq=";
    let ended_by = |seq: &u64| row.ends_with(&format!("{ENDED}{:?}", Value::Int(*seq as i64)));
    let Some((begun, _)) = row.rsplit_once(ENDED).filter(|_| walk.unread.iter().any(ended_by)) else {
        return row;
    };
    let begun = format!("{begun}{ENDED}");
    let same = want.range(begun.clone()..).map(|(row, _)| row).next();
    same.filter(|same| same.starts_with(&begun)).cloned().unwrap_or(row)
}

/// How often each row is there, and the event that made it.
pub type RowCounts = BTreeMap<String, (i64, u64)>;

pub async fn rows_by_text(session: &mut Session, sql: &str) -> Result<RowCounts, LedgerError> {
    let mut counts = RowCounts::new();
    for row in session.rows(sql, &[]).await? {
        // a number that is none is another row than any that an event made
        let seq = row.int("from_seq").map_or(0, |seq| seq.max(0) as u64);
        counts.entry(row.canonical()).or_insert((0, seq)).0 += 1;
    }
    Ok(counts)
}

/// Rows whose number differs: (row, surplus in `have`, seq), missing ones first.
pub fn differences(have: &RowCounts, want: &RowCounts) -> Vec<(String, i64, u64)> {
    let texts: BTreeSet<&String> = have.keys().chain(want.keys()).collect();
    let mut found: Vec<(String, i64, u64)> = texts
        .into_iter()
        .filter_map(|text| {
            let (mine, theirs) = (have.get(text), want.get(text));
            let surplus = mine.map_or(0, |one| one.0) - theirs.map_or(0, |one| one.0);
            let seq = theirs.or(mine).map_or(0, |one| one.1);
            (surplus != 0).then(|| (text.chars().take(SHOWN_CHARS).collect(), surplus, seq))
        })
        .collect();
    found.sort_by_key(|(_, surplus, _)| *surplus);
    found
}
