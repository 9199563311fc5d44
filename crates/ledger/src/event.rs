//! Events as they are kept: the leaf that is hashed, the body that it commits to, and a row of columns by which events
//! are found. The row repeats what the leaf says; the audit compares both.

mod leaf;

use stemma_core::{
    Timestamp,
    event::Event,
    id::RequestId,
    name::ProjectName,
    record::{Actor, Auth},
};

pub use self::leaf::{Body, Leaf, commitment};
use crate::{
    LedgerError,
    sql::{Row, Session, Value},
};

/// Columns of the event that made a row, as [`Fact::of`] reads them.
pub const FACT: &str = "event.seq AS seq, event.time AS time, event.actor AS actor, event.auth AS auth";
/// Leaves that are read at a time when their columns are written anew.
const PAGE: i64 = 500;

/// Who made a fact, when, under which number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub seq: u64,
    pub time: Timestamp,
    pub actor: Actor,
}

impl Fact {
    pub fn of(row: &Row) -> Result<Self, LedgerError> {
        let auth = row.text("auth")?;
        let auth = Auth::parse(&auth).ok_or_else(|| LedgerError::Damaged(format!("nobody is known by `{auth}`")))?;
        let actor = Actor { principal: row.parsed("actor")?, auth };
        Ok(Self { seq: row.int("seq")? as u64, time: Timestamp(row.int("time")?), actor })
    }
}

/// Something with the event that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded<T> {
    pub value: T,
    pub fact: Fact,
}

/// The columns that a leaf gives, in the order of the table's. Whom a project's event is about is not in the leaf.
pub fn columns_of(leaf: &Leaf, project: Option<&ProjectName>) -> [Value; 8] {
    [
        Value::Int(leaf.seq as i64),
        Value::Int(leaf.time.micros()),
        leaf.actor.principal.as_str().into(),
        leaf.actor.auth.as_str().into(),
        leaf.kind.clone().into(),
        leaf.subject.clone().into(),
        project.map(ToString::to_string).into(),
        Value::Text(leaf.request.to_string()),
    ]
}

/// Writes the columns by which an event is found.
pub async fn insert(session: &mut Session, leaf: &Leaf, project: Option<&ProjectName>) -> Result<(), LedgerError> {
    let sql = "INSERT INTO event (seq, time, actor, auth, kind, subject, project, request) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    session.execute(sql, &columns_of(leaf, project)).await.map(drop)
}

/// The events that a request made, with the first one's fact.
pub async fn of_request(
    session: &mut Session,
    request: RequestId,
) -> Result<Option<Recorded<Vec<Event>>>, LedgerError> {
    let sql = format!(
        "SELECT {FACT}, body FROM event JOIN event_body ON event_body.seq = event.seq \
         WHERE request = $1 ORDER BY event.seq"
    );
    let rows = session.rows(&sql, &[Value::Text(request.to_string())]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let events = rows.iter().map(|row| row.json("body")).collect::<Result<_, _>>()?;
    Ok(Some(Recorded { value: events, fact: Fact::of(first)? }))
}

/// Writes the columns of all events of a ledger that had none. What can't be read gets none: it keeps nobody from opening
/// the ledger, and the audit names it.
pub async fn adopt_leaves(session: &mut Session) -> Result<(), LedgerError> {
    let sql = format!(
        "SELECT leaf.seq AS seq, entry, body FROM leaf LEFT JOIN event_body ON event_body.seq = leaf.seq \
         WHERE leaf.seq > $1 ORDER BY leaf.seq LIMIT {PAGE}"
    );
    let mut last = i64::MIN;
    loop {
        let rows = session.rows(&sql, &[Value::Int(last)]).await?;
        let Some(row) = rows.last() else { return Ok(()) };
        last = row.int("seq")?;
        for row in &rows {
            let (Ok(leaf), Ok(event)) = (row.json::<Leaf>("entry"), row.json::<Event>("body")) else { continue };
            if leaf.seq == row.int("seq")? as u64 {
                insert(session, &leaf, event.project()).await?;
            }
        }
    }
}
