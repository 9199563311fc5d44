//! Many rows in few statements: the texts depend on how many, so few sizes are used and each is prepared once.

use super::{Connection, Row, Value};
use crate::LedgerError;

/// Rows in one INSERT, largest first.
const ROWS_AT_ONCE: [usize; 4] = [32, 8, 2, 1];
/// Keys in one `IN (…)`.
pub(crate) const KEYS_AT_ONCE: usize = 128;

impl Connection {
    /// Inserts rows of `N` values; `head` ends before VALUES, `tail` follows them.
    pub async fn insert_rows<const N: usize>(
        &mut self,
        head: &'static str,
        tail: &'static str,
        rows: &[[Value; N]],
    ) -> Result<(), LedgerError> {
        let mut rest = rows;
        for size in ROWS_AT_ONCE {
            if rest.len() < size {
                continue;
            }
            let sql = format!("{head} VALUES {} {tail}", tuples(size, N, 0));
            let chunks = rest.chunks_exact(size);
            rest = chunks.remainder();
            for chunk in chunks {
                let values: Vec<Value> = chunk.iter().flatten().cloned().collect();
                self.rows_of(sql.clone().into(), &values).await?;
            }
        }
        Ok(())
    }

    /// Selects by many keys of `N` values: `head` ends in `IN (VALUES`, `tail` follows; `first` are `$1` and following.
    ///
    /// The last key is repeated to fill a statement.
    pub async fn select_by_keys<const N: usize>(
        &mut self,
        head: &'static str,
        tail: &'static str,
        first: &[Value],
        keys: &[[Value; N]],
    ) -> Result<Vec<Row>, LedgerError> {
        let sql = format!("{head} {}) {tail}", tuples(KEYS_AT_ONCE, N, first.len()));
        let mut rows = Vec::new();
        for chunk in keys.chunks(KEYS_AT_ONCE) {
            let last = &chunk[chunk.len() - 1];
            let filled = chunk.iter().chain(std::iter::repeat_n(last, KEYS_AT_ONCE - chunk.len()));
            let values: Vec<Value> = first.iter().chain(filled.flatten()).cloned().collect();
            rows.extend(self.rows_of(sql.clone().into(), &values).await?);
        }
        Ok(rows)
    }
}

/// `($1, $2), ($3, $4)` for two tuples of two, after `before` other parameters.
fn tuples(count: usize, width: usize, before: usize) -> String {
    let tuple = |at: usize| {
        let parameters: Vec<String> = (0..width).map(|place| format!("${}", before + at * width + place + 1)).collect();
        format!("({})", parameters.join(", "))
    };
    (0..count).map(tuple).collect::<Vec<_>>().join(", ")
}
