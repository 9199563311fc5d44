//! The events themselves: bodies, commitments, leaves, tree hashes, head.

use stemma_core::{Timestamp, event::Event, record::Auth};

use super::BadEvent;
use crate::{
    LedgerError,
    commit::{Head, Leaf, Sealed, project_of},
    sql::{Connection, Row, Value},
    tree::{Frontier, TreeHash},
};

/// Events in one page.
const PAGE: u64 = 500;

/// What was found when reading all events.
pub(super) struct Chain {
    /// The tree over the events that are good.
    pub frontier: Frontier,
    /// The root over as many events as were signed, if there are so many.
    pub signed_root: Option<TreeHash>,
    pub bad: Option<BadEvent>,
}

/// Reads all events from the first on and stops at the first bad one.
pub(super) async fn check(connection: &mut Connection, signed_size: Option<u64>) -> Result<Chain, LedgerError> {
    let mut chain = Chain { frontier: Frontier::empty(), signed_root: None, bad: None };
    let mut time = Timestamp(i64::MIN);
    let mut after = i64::MIN;
    loop {
        if signed_size == Some(chain.frontier.size()) {
            chain.signed_root = Some(chain.frontier.root());
        }
        let sql = "SELECT e.*, b.salt, b.body FROM event e LEFT JOIN event_body b ON b.seq = e.seq
             WHERE e.seq > $1 ORDER BY e.seq LIMIT $2";
        let rows = connection.rows(sql, &[after.into(), Value::count(PAGE)?]).await?;
        let Some(last) = rows.last() else {
            break;
        };
        after = last.int("seq")?;
        let tree = connection.subtrees_completed_by(chain.frontier.size(), rows.len() as u64).await?;
        for row in &rows {
            let seq = chain.frontier.size() + 1;
            let leaf = match check_event(connection, row, seq, time).await? {
                Ok(leaf) => leaf,
                Err(what) => {
                    chain.bad = Some(BadEvent::new(seq, what));
                    return Ok(chain);
                }
            };
            time = row.time("time")?;
            for subtree in chain.frontier.clone().push(leaf) {
                if tree.get(&(subtree.level, subtree.index)) != Some(&subtree.hash) {
                    let what = match subtree.level {
                        0 => "its leaf is not the one in the tree".to_owned(),
                        level => format!("the tree hash {} of level {level} is not that of its leaves", subtree.index),
                    };
                    chain.bad = Some(BadEvent::new(seq, what));
                    return Ok(chain);
                }
            }
            chain.frontier.push(leaf);
            if signed_size == Some(seq) {
                chain.signed_root = Some(chain.frontier.root());
            }
        }
    }
    chain.bad = check_end(connection, &chain.frontier, time).await?;
    Ok(chain)
}

/// Checks one event; `Ok(Err(_))` says what is wrong with it.
async fn check_event(
    connection: &mut Connection,
    row: &Row,
    seq: u64,
    not_before: Timestamp,
) -> Result<Result<TreeHash, String>, LedgerError> {
    let found = row.int("seq")?;
    if found.cast_unsigned() != seq {
        return Ok(Err(match u64::try_from(found) {
            Ok(found) if found > seq => "it is missing".to_owned(),
            _ => format!("there is an event with the number {found}"),
        }));
    }
    let (sealed, event) = match read_body(row) {
        Ok(read) => read,
        Err(what) => return Ok(Err(what)),
    };
    let token_hash = match &event {
        Event::TokenIssued { token, .. } => {
            let sql = "SELECT hash FROM token_hash WHERE token = $1";
            let row = connection.row(sql, &[Value::text(token)]).await?;
            match row.map(|row| row.hash("hash")).transpose() {
                Ok(hash) => hash,
                Err(error) => return Ok(Err(format!("the hash of its token: {error}"))),
            }
        }
        _ => None,
    };
    Ok(check_leaf(row, &sealed, &event, token_hash.as_ref(), not_before))
}

fn read_body(row: &Row) -> Result<(Sealed, Event), String> {
    if row.opt_text("body").is_ok_and(|body| body.is_none()) {
        return Err("its body is missing".to_owned());
    }
    let read = |error: LedgerError| format!("its body: {error}");
    let sealed = Sealed { salt: row.hash("salt").map_err(read)?, body: row.text("body").map_err(read)?.to_owned() };
    let event = serde_json::from_str(&sealed.body).map_err(|error| format!("its body is not an event: {error}"))?;
    Ok((sealed, event))
}

fn check_leaf(
    row: &Row,
    sealed: &Sealed,
    event: &Event,
    token_hash: Option<&[u8; 32]>,
    not_before: Timestamp,
) -> Result<TreeHash, String> {
    let damaged = |error: LedgerError| format!("its row: {error}");
    let text = row.text("leaf").map_err(damaged)?;
    let leaf = read_leaf(row, sealed.commitment(token_hash)).map_err(damaged)?;
    if leaf.text().map_err(damaged)? != text {
        return Err(difference(&leaf, text, event));
    }
    let of_body = (event.kind(), event.subject(), project_of(event));
    if of_body != (leaf.kind.as_str(), leaf.subject, leaf.project.as_ref()) {
        return Err("its body is about something else than its leaf".to_owned());
    }
    if leaf.time < not_before {
        return Err("it is older than the event before it".to_owned());
    }
    Ok(TreeHash::leaf(text.as_bytes()))
}

/// The leaf as the other columns say that it is.
fn read_leaf(row: &Row, commitment: String) -> Result<Leaf, LedgerError> {
    Ok(Leaf {
        v: 1,
        seq: row.number("seq")?,
        time: row.time("time")?,
        actor: row.parse("actor")?,
        auth: row.word("auth", Auth::parse)?,
        kind: row.text("kind")?.to_owned(),
        subject: row.text("subject")?.to_owned(),
        project: row.opt_parse("project")?,
        request: row.parse("request")?,
        commitment,
    })
}

/// Names the first member in which a leaf is not what it should be.
fn difference(expected: &Leaf, found: &str, event: &Event) -> String {
    let members = |json: serde_json::Result<serde_json::Value>| match json {
        Ok(serde_json::Value::Object(members)) => Some(members),
        _ => None,
    };
    let (expected, found) = (members(serde_json::to_value(expected)), members(serde_json::from_str(found)));
    let (Some(expected), Some(found)) = (expected, found) else {
        return "its leaf is damaged".to_owned();
    };
    let differs = |name: &&String| expected.get(*name) != found.get(*name);
    match expected.keys().chain(found.keys()).find(differs).map(String::as_str) {
        Some("commitment") if matches!(event, Event::TokenIssued { .. }) => {
            "its body or the hash of its token was altered".to_owned()
        }
        Some("commitment") => "its body was altered".to_owned(),
        Some(name) => format!("`{name}` in its row is not the one in its leaf"),
        None => "its leaf is not in canonical form".to_owned(),
    }
}

/// Checks that head and tree end where the events end.
async fn check_end(
    connection: &mut Connection,
    frontier: &Frontier,
    time: Timestamp,
) -> Result<Option<BadEvent>, LedgerError> {
    let size = frontier.size();
    let Some(row) = connection.row("SELECT size, root, frontier, time FROM ledger_head", &[]).await? else {
        return Ok(Some(BadEvent::new(size, "the head of the ledger is missing")));
    };
    let stored = row.int("size")?;
    if stored > size.cast_signed() {
        return Ok(Some(BadEvent::new(size + 1, format!("it is missing: the head has {stored} events"))));
    }
    if stored < size.cast_signed() {
        let first = u64::try_from(stored + 1).unwrap_or(0);
        return Ok(Some(BadEvent::new(first, format!("it is beyond the head of {stored} events"))));
    }
    let expected = Head { frontier: frontier.clone(), time };
    let root = row.blob("root")?;
    if Head::from_row(&row).ok().as_ref() != Some(&expected) || root != frontier.root().0 {
        return Ok(Some(BadEvent::new(size, "the head of the ledger is not the one that follows from the events")));
    }
    if let Some((level, index)) = connection.subtree_outside(size).await? {
        let what = format!("the tree has a hash {index} of level {level}, which no event made");
        return Ok(Some(BadEvent::new(size, what)));
    }
    let sql = "SELECT b.seq FROM event_body b WHERE b.seq NOT IN (SELECT e.seq FROM event e) ORDER BY b.seq LIMIT 1";
    if let Some(row) = connection.row(sql, &[]).await? {
        let what = format!("there is a body with the number {}, which no event has", row.int("seq")?);
        return Ok(Some(BadEvent::new(size, what)));
    }
    Ok(None)
}
