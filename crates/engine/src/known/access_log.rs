//! What the ledger knows of the access log: its sealed parts.

use stemma_core::{
    Problem, Timestamp,
    event::{AccessLogSealed, Event},
};
use stemma_ledger::{EventFilter, EventRow, Order};

use super::sources::Known;
use crate::problem::ledger_problem;

const KIND: &str = "access_log_sealed";

impl Known {
    /// Sealed parts of the access log behind an event, the newest first, each with its event; none that was sealed before a
    /// time.
    pub async fn access_parts(
        &self,
        behind: Option<u64>,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<(u64, AccessLogSealed)>, Problem> {
        let filter = EventFilter { kinds: vec![KIND.to_owned()], since, ..EventFilter::default() };
        let rows = self.ledger().page_of_events(&filter, Order::NewestFirst, behind, limit).await;
        Ok(rows.map_err(ledger_problem)?.into_iter().filter_map(part).collect())
    }

    /// The sealed part that a segment of the access log became, with its event.
    pub async fn access_part_of(&self, segment: u64) -> Result<Option<(u64, AccessLogSealed)>, Problem> {
        let subject = Some(AccessLogSealed::subject_of(segment));
        let filter = EventFilter { kinds: vec![KIND.to_owned()], subject, ..EventFilter::default() };
        let rows = self.ledger().page_of_events(&filter, Order::NewestFirst, None, 1).await;
        Ok(rows.map_err(ledger_problem)?.into_iter().find_map(part))
    }
}

fn part(row: EventRow) -> Option<(u64, AccessLogSealed)> {
    match row.event {
        Event::AccessLogSealed(part) => Some((row.seq, part)),
        _ => None,
    }
}
