//! Which tables there are.

use std::collections::BTreeSet;

use crate::{LedgerError, sql::Session};

/// The tables that a database has, by name.
pub async fn tables(replayed: &mut Session) -> Result<BTreeSet<String>, LedgerError> {
    let rows = replayed.rows("SELECT name FROM sqlite_master WHERE type = 'table'", &[]).await?;
    rows.iter().map(|row| row.text("name")).collect()
}
