//! Taking in what happened before there was a table for it.

use stemma_core::event::Event;

use crate::{
    LedgerError,
    event::Leaf,
    sql::{Session, Value},
};

/// Leaves that are read at a time.
const PAGE: i64 = 500;

/// Applies the events of some kinds (as a list in SQL) in their order. What can't be read gets no rows: it keeps nobody
/// from opening the ledger, and the audit names it.
pub async fn adopt(
    session: &mut Session,
    kinds: &str,
    mut apply: impl AsyncFnMut(&mut Session, &Leaf, &Event) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let sql = format!(
        "SELECT leaf.seq AS seq, entry, body FROM event JOIN leaf ON leaf.seq = event.seq \
         JOIN event_body ON event_body.seq = event.seq \
         WHERE event.seq > $1 AND event.kind IN ({kinds}) ORDER BY event.seq LIMIT {PAGE}"
    );
    let mut last = i64::MIN;
    loop {
        let rows = session.rows(&sql, &[Value::Int(last)]).await?;
        let Some(row) = rows.last() else { return Ok(()) };
        last = row.int("seq")?;
        for row in &rows {
            let (Ok(leaf), Ok(event)) = (row.json::<Leaf>("entry"), row.json::<Event>("body")) else { continue };
            apply(session, &leaf, &event).await?;
        }
    }
}
