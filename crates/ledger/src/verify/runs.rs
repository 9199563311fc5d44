//! The runs that were sealed: their records and digests, as the seals have them.

use stemma_core::{canonical, record::RunRecord};

use super::BadEvent;
use crate::{
    LedgerError,
    sql::{Connection, Row, Value},
    telemetry::seal_of,
};

/// Records in one page.
const PAGE: u32 = 200;

/// Returns the first seal that does not hold any more.
pub(super) async fn check(connection: &mut Connection) -> Result<Option<BadEvent>, LedgerError> {
    let mut after = 0;
    loop {
        let sql = "SELECT first_run, last_run, run_count, digest, from_seq FROM run_seal WHERE from_seq > $1
             ORDER BY from_seq LIMIT 1";
        let Some(seal) = connection.row(sql, &[Value::Int(after)]).await? else {
            return Ok(None);
        };
        after = seal.int("from_seq")?;
        if let Some(what) = check_seal(connection, &seal).await? {
            return Ok(Some(BadEvent::new(seal.number("from_seq")?, what)));
        }
    }
}

async fn check_seal(connection: &mut Connection, seal: &Row) -> Result<Option<String>, LedgerError> {
    let (first, last) = (seal.int("first_run")?, seal.int("last_run")?);
    let found = seal_of(connection, first, last).await?;
    let holds = found.is_some_and(|found| {
        Ok(found.digest) == seal.digest("digest").map_err(drop)
            && Ok(found.count) == seal.number("run_count").map_err(drop)
    });
    if !holds {
        return Ok(Some(format!("runs {first}..={last} are not those that it sealed")));
    }
    let mut after = first - 1;
    loop {
        let sql = "SELECT ordinal, run, digest, record, special_metrics FROM run WHERE ordinal > $1 AND ordinal <= $2
             ORDER BY ordinal LIMIT $3";
        let rows = connection.rows(sql, &[after.into(), last.into(), PAGE.into()]).await?;
        for row in &rows {
            after = row.int("ordinal")?;
            if !is_record(row)? {
                return Ok(Some(format!("the record of run `{}` is not the one that it sealed", row.text("run")?)));
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
    }
}

/// Whether a record has the digest that was sealed. One with numbers that JSON can't hold has none to compare.
fn is_record(row: &Row) -> Result<bool, LedgerError> {
    if row.int("special_metrics")? > 0 {
        return Ok(true);
    }
    let record: Result<RunRecord, LedgerError> = row.json("record");
    let digest = record.ok().and_then(|record| canonical::digest(&record).ok());
    Ok(digest.is_some_and(|(digest, _)| row.digest("digest").is_ok_and(|sealed| sealed == digest)))
}
