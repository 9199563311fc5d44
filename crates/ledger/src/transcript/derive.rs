//! What follows from leaves, runs and entries: the tree, the tables of events, files and edges of runs, and rights.

use stemma_core::record::RunRecord;

use crate::{
    LedgerError,
    event::Leaf,
    projection,
    row::{edge::insert_edge, file::insert_files, grant, search::insert_for_search},
    sql::{Row, Session, Value},
    tree::Frontier,
    verify::read_leaf,
    writing::follow,
};

/// Tables that follow from those that are kept, beside those that events make.
pub const FOLLOWING: [&str; 8] =
    ["subtree", "event", "run_file", "search_run", "search_run_fact", "node", "edge", "content_grant"];
/// Rows that are read at a time.
const PAGE: i64 = 200;

/// Makes anew whatever follows from the rows that are kept; returns where the tree ends.
pub async fn derive(session: &mut Session) -> Result<Frontier, LedgerError> {
    // migrations may have made some of it already
    for table in projection::TABLES.into_iter().map(|(table, _)| table).chain(FOLLOWING) {
        session.execute(&format!("DELETE FROM {table}"), &[]).await?;
    }
    let frontier = of_leaves(session).await?;
    of_runs(session).await?;
    of_entries(session).await?;
    Ok(frontier)
}

async fn of_leaves(session: &mut Session) -> Result<Frontier, LedgerError> {
    let sql = format!(
        "SELECT leaf.seq AS seq, entry, hash, salt, body FROM leaf LEFT JOIN event_body ON event_body.seq = leaf.seq \
         WHERE leaf.seq > $1 ORDER BY leaf.seq LIMIT {PAGE}"
    );
    let mut frontier = Frontier::default();
    loop {
        let after = Value::Int(frontier.size() as i64);
        let rows = session.rows(&sql, &[after]).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            of_leaf(session, &mut frontier, row).await?;
        }
    }
    let head = [Value::Int(frontier.size() as i64), Value::Blob(frontier.root().to_vec())];
    session.execute("UPDATE head SET size = $1, root = $2 WHERE id = 1", &head).await?;
    Ok(frontier)
}

async fn of_leaf(session: &mut Session, frontier: &mut Frontier, row: &Row) -> Result<(), LedgerError> {
    let seq = frontier.size() + 1;
    let damaged = |what: String| LedgerError::Damaged(format!("event {seq}: {what}"));
    if row.int("seq")? != seq as i64 {
        return Err(damaged("it is missing".to_owned()));
    }
    let (hash, event) = read_leaf(row, seq).map_err(damaged)?;
    let leaf: Leaf = row.json("entry")?;
    follow(session, frontier, &leaf, hash, &event).await
}

async fn of_runs(session: &mut Session) -> Result<(), LedgerError> {
    let sql = format!("SELECT place, record FROM run WHERE place > $1 ORDER BY place LIMIT {PAGE}");
    let mut last = i64::MIN;
    loop {
        let rows = session.rows(&sql, &[Value::Int(last)]).await?;
        let Some(row) = rows.last() else { return Ok(()) };
        last = row.int("place")?;
        for row in &rows {
            let record: RunRecord = row.json("record")?;
            insert_files(session, &record).await?;
            insert_for_search(session, row.int("place")?, &record).await?;
            for edge in record.edges() {
                insert_edge(session, &record.project, &edge).await?;
            }
        }
    }
}

async fn of_entries(session: &mut Session) -> Result<(), LedgerError> {
    let sql =
        format!("SELECT place, project, act, contents FROM grant_entry WHERE place > $1 ORDER BY place LIMIT {PAGE}");
    let mut last = i64::MIN;
    loop {
        let rows = session.rows(&sql, &[Value::Int(last)]).await?;
        let Some(row) = rows.last() else { return Ok(()) };
        last = row.int("place")?;
        for row in &rows {
            grant::apply(session, &row.text("project")?, &row.text("act")?, &row.blob("contents")?).await?;
        }
    }
}
