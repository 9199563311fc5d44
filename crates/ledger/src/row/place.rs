//! Places in tables that are only ever added to.

use crate::{LedgerError, sql::Session};

/// The next number of an append-only table. Nobody else writes meanwhile.
pub async fn next_place(session: &mut Session, table: &str) -> Result<i64, LedgerError> {
    let sql = format!("SELECT MAX(place) AS newest FROM {table}");
    let newest = session.row(&sql, &[]).await?.map(|row| row.optional_int("newest")).transpose()?.flatten();
    Ok(newest.unwrap_or(0) + 1)
}
