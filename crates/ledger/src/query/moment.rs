//! Which event was the last at a time.

use stemma_core::Timestamp;

use crate::{
    LedgerError,
    sql::{Session, Value},
};

/// The last event that is stamped no later than a time; 0 if there is none. Order counts, not the clock: what is before
/// this event had happened.
pub async fn last_no_later(session: &mut Session, time: Timestamp) -> Result<u64, LedgerError> {
    let sql = "SELECT seq FROM event WHERE time <= $1 ORDER BY time DESC, seq DESC LIMIT 1";
    let last = session.row(sql, &[Value::Int(time.micros())]).await?;
    Ok(last.map(|row| row.int("seq")).transpose()?.unwrap_or(0) as u64)
}
