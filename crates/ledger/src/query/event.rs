//! Events themselves: in order, by what they are about, and by the request that asked for them.

mod filter;

use stemma_core::{Timestamp, event::Event, id::RequestId, record::Actor};

use super::moment::last_no_later;

pub use self::filter::{EventFilter, Order};
use crate::{
    Ledger, LedgerError, Recorded,
    event::{Fact, of_request},
    sql::{Row, Value},
};

/// One event, and who asked for it.
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
        self.events_that(&EventFilter::default(), after, limit).await
    }

    /// The wanted ones of the events after a seq, in order.
    pub async fn events_that(
        &self,
        filter: &EventFilter,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EventRow>, LedgerError> {
        self.page_of_events(filter, Order::OldestFirst, Some(after), limit).await
    }

    /// The wanted ones of the events behind one, in an order.
    pub async fn page_of_events(
        &self,
        filter: &EventFilter,
        order: Order,
        behind: Option<u64>,
        limit: u32,
    ) -> Result<Vec<EventRow>, LedgerError> {
        let mut session = self.read().await?;
        let range = filter.range(&mut session, order, behind).await?;
        let (sql, values) = filter.whole_sql(range, order, limit);
        session.rows(&sql, &values).await?.iter().map(event).collect()
    }

    /// The last event that is stamped no later than a time; 0 if there is none.
    pub async fn last_event_at(&self, time: Timestamp) -> Result<u64, LedgerError> {
        last_no_later(&mut self.read().await?, time).await
    }

    /// With what time an event is stamped; `None` if there is no such event.
    pub async fn time_of_event(&self, seq: u64) -> Result<Option<Timestamp>, LedgerError> {
        let seq = Value::Int(i64::try_from(seq).unwrap_or(i64::MAX));
        let row = self.read().await?.row("SELECT time FROM event WHERE seq = $1", &[seq]).await?;
        row.map(|row| row.int("time").map(Timestamp)).transpose()
    }

    /// What was committed under a request id, and by whom.
    pub async fn committed(&self, request: RequestId) -> Result<Option<Recorded<Vec<Event>>>, LedgerError> {
        of_request(&mut self.read().await?, request).await
    }
}

fn event(row: &Row) -> Result<EventRow, LedgerError> {
    let Fact { seq, time, actor } = Fact::of(row)?;
    Ok(EventRow { seq, time, actor, request: row.parsed("request")?, event: row.json("body")? })
}
