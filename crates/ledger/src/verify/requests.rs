//! Which request made which events: what keeps a repeated request from being done twice.

use std::collections::BTreeSet;

use stemma_core::audit::{Check, Fault};

use super::leaves::Walk;
use crate::{LedgerError, sql::Session};

pub async fn check(live: &mut Session, walk: &Walk) -> Result<Check, LedgerError> {
    let mut check = Check::new("requests", "requests made the events that their leaves say");
    let rows = live.rows("SELECT id, first_seq, last_seq FROM request", &[]).await?;
    let found: Result<BTreeSet<_>, LedgerError> =
        rows.iter().map(|row| Ok((row.int("first_seq")?, row.int("last_seq")?, row.text("id")?))).collect();
    let found = found?;
    let expected = walk.requests.iter().map(|(id, first, last)| (*first as i64, *last as i64, id.to_string()));
    let expected: BTreeSet<(i64, i64, String)> = expected.collect();
    check.looked_at = expected.len() as u64;
    // an event beside them that can't be read may be of the same request
    let is_read = |first: i64, last: i64| {
        let range = (first.max(1) as u64 - 1)..=(last.max(0) as u64 + 1);
        range.is_empty() || walk.unread.range(range).next().is_none()
    };
    for (first, last, id) in expected.difference(&found) {
        if is_read(*first, *last) {
            let what = format!("request {id} has no row for events {first} to {last}");
            check.fault(Fault::of_event(*first as u64, what));
        }
    }
    for (first, last, id) in found.difference(&expected) {
        if is_read(*first, *last) {
            let place = format!("request {id}");
            let what = format!("a row says that it made events {first} to {last}, which no leaf does");
            check.fault(Fault { seq: u64::try_from(*first).ok(), place: Some(place), what });
        }
    }
    Ok(check)
}
