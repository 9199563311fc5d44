//! Events themselves: in order, and by the request that asked for them.

use stemma_core::{Timestamp, event::Event, id::RequestId, record::Actor};

use super::{Recorded, recorded, text};
use crate::{Ledger, LedgerError, commit::Leaf, sql::Value};

/// One leaf with its body.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    pub seq: u64,
    pub time: Timestamp,
    pub actor: Actor,
    pub request: RequestId,
    pub event: Event,
}

/// Size and root of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    /// Base64.
    pub root: String,
}

impl Ledger {
    pub async fn head(&self) -> Result<Head, LedgerError> {
        let row = self.read().await?.row("SELECT size, root FROM head WHERE id = 1", &[]).await?;
        let row = row.ok_or_else(|| LedgerError::Damaged("the ledger has no head".to_owned()))?;
        Ok(Head { size: row.int("size")? as u64, root: data_encoding::BASE64.encode(&row.blob("root")?) })
    }

    /// Events after a seq, in order.
    pub async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, LedgerError> {
        let sql = "SELECT entry, body FROM leaf JOIN event_body ON event_body.seq = leaf.seq WHERE leaf.seq > $1 \
                   ORDER BY leaf.seq LIMIT $2";
        let values = [Value::Int(after as i64), Value::Int(i64::from(limit))];
        let rows = self.read().await?.rows(sql, &values).await?;
        rows.iter()
            .map(|row| {
                let leaf: Leaf = row.json("entry")?;
                let event = row.json("body")?;
                Ok(EventRow { seq: leaf.seq, time: leaf.time, actor: leaf.actor, request: leaf.request, event })
            })
            .collect()
    }

    /// What was committed under a request id, and by whom.
    pub async fn committed(&self, request: RequestId) -> Result<Option<Recorded<Vec<Event>>>, LedgerError> {
        let mut session = self.read().await?;
        let sql = "SELECT first_seq, last_seq, entry FROM request JOIN leaf ON leaf.seq = first_seq WHERE id = $1";
        let Some(row) = session.row(sql, &[text(request)]).await? else {
            return Ok(None);
        };
        let range = [Value::Int(row.int("first_seq")?), Value::Int(row.int("last_seq")?)];
        let bodies = "SELECT body FROM event_body WHERE seq BETWEEN $1 AND $2 ORDER BY seq";
        let bodies = session.rows(bodies, &range).await?;
        let events = bodies.iter().map(|row| row.json("body")).collect::<Result<_, _>>()?;
        recorded(&row, events).map(Some)
    }
}
