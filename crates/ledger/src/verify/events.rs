//! The columns by which events are found, against the leaves and bodies that they repeat: what keeps a request from being
//! done twice, and tells who did what when.

use stemma_core::{
    audit::{Check, Fault},
    event::Event,
};

use super::leaves::Walk;
use crate::{
    LedgerError,
    event::{Leaf, columns_of},
    sql::{Row, Session, Value},
};

/// Events read at a time.
const PAGE: i64 = 1000;
/// Columns before those that are compared.
const BEFORE: usize = 3;

pub async fn check(live: &mut Session, walk: &Walk) -> Result<Check, LedgerError> {
    let mut check = Check::new("events", "events are found by what their leaves say");
    let sql = "SELECT leaf.seq AS leaf, entry, body, event.seq AS seq, time, actor, auth, kind, subject, project, request \
               FROM leaf JOIN event_body ON event_body.seq = leaf.seq LEFT JOIN event ON event.seq = leaf.seq \
               WHERE leaf.seq > $1 ORDER BY leaf.seq LIMIT $2";
    let mut last = 0;
    loop {
        let page = live.rows(sql, &[Value::Int(last), Value::Int(PAGE)]).await?;
        let Some(row) = page.last() else { break };
        last = row.int("leaf")?;
        for row in page {
            let seq = row.int("leaf")?.max(0) as u64;
            if walk.unread.contains(&seq) {
                continue;
            }
            check.looked_at += 1;
            if !says_what_its_leaf_does(&row)? {
                check.fault(Fault::of_event(
                    seq,
                    "its row in table `event` says something else than its leaf, or is gone",
                ));
            }
        }
    }
    look_beside(live, &mut check).await?;
    Ok(check)
}

fn says_what_its_leaf_does(row: &Row) -> Result<bool, LedgerError> {
    let (leaf, event): (Leaf, Event) = (row.json("entry")?, row.json("body")?);
    Ok(row.values().skip(BEFORE).eq(columns_of(&leaf, event.project()).iter()))
}

/// Rows that no leaf stands behind.
async fn look_beside(live: &mut Session, check: &mut Check) -> Result<(), LedgerError> {
    let sql = "SELECT CAST(seq AS TEXT) AS seq FROM event \
               WHERE NOT EXISTS (SELECT 1 FROM leaf WHERE leaf.seq = event.seq) LIMIT 100";
    for row in live.rows(sql, &[]).await? {
        let seq = row.optional_text("seq")?.unwrap_or_default();
        check.fault(Fault::at("table `event`", format!("there is a row {seq} that no leaf stands behind")));
    }
    Ok(())
}
