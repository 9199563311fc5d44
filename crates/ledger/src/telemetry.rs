//! Append-only rows beside the ledger: runs, the edges of the family tree, feedback, content grants.
//!
//! They are written by the same writer as events; runs are sealed into the ledger in batches.

mod edge;
mod feedback;
mod grant;
mod run;
mod seal;

pub(crate) use self::seal::seal_of;
pub use self::{
    edge::EdgeList,
    feedback::FeedbackRow,
    grant::{ContentGrant, ContentKind},
    run::RunRow,
    seal::RunsSeal,
};
use crate::{
    LedgerError,
    sql::{Connection, Row, Value},
};

/// Rows in one INSERT; the rest goes one by one, so that few different statements are prepared.
const ROWS_AT_ONCE: usize = 32;
/// Keys in one `IN (…)`.
const KEYS_AT_ONCE: usize = 128;

/// Inserts rows of `N` values; `head` ends before VALUES, `tail` follows them.
async fn insert_rows<const N: usize>(
    connection: &mut Connection,
    head: &'static str,
    tail: &'static str,
    rows: &[[Value; N]],
) -> Result<(), LedgerError> {
    let (many, few) = rows.as_chunks::<ROWS_AT_ONCE>();
    let statement = |count: usize| format!("{head} VALUES {} {tail}", tuples(count, N, 0));
    for chunk in many {
        let values: Vec<Value> = chunk.iter().flatten().cloned().collect();
        connection.rows_of(statement(ROWS_AT_ONCE).into(), &values).await?;
    }
    for row in few {
        connection.rows_of(statement(1).into(), row).await?;
    }
    Ok(())
}

/// Selects by many keys of `N` values: `head` ends in `IN (VALUES`, `tail` follows; `first` are `$1` and following.
///
/// The last key is repeated to fill a statement, so that only one is prepared.
async fn select_by_keys<const N: usize>(
    connection: &mut Connection,
    head: &'static str,
    tail: &'static str,
    first: &[Value],
    keys: &[[Value; N]],
) -> Result<Vec<Row>, LedgerError> {
    let mut rows = Vec::new();
    for chunk in keys.chunks(KEYS_AT_ONCE) {
        let last = &chunk[chunk.len() - 1];
        let filled = chunk.iter().chain(std::iter::repeat_n(last, KEYS_AT_ONCE - chunk.len()));
        let values: Vec<Value> = first.iter().chain(filled.flatten()).cloned().collect();
        let sql = format!("{head} {}) {tail}", tuples(KEYS_AT_ONCE, N, first.len()));
        rows.extend(connection.rows_of(sql.into(), &values).await?);
    }
    Ok(rows)
}

/// `($1, $2), ($3, $4)` for two tuples of two, after `before` other parameters.
fn tuples(count: usize, width: usize, before: usize) -> String {
    let tuple = |at: usize| {
        let parameters: Vec<String> = (0..width).map(|place| format!("${}", before + at * width + place + 1)).collect();
        format!("({})", parameters.join(", "))
    };
    (0..count).map(tuple).collect::<Vec<_>>().join(", ")
}
