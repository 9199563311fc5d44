//! What is sealed of the access log, of a ledger at rest.

use stemma_core::event::{AccessLogSealed, Event};

use crate::{LedgerAtRest, LedgerError, needs};

impl LedgerAtRest {
    /// Every sealed part of the access log, in the order in which they were sealed.
    pub async fn sealed_access(&self) -> Result<Vec<AccessLogSealed>, LedgerError> {
        let mut parts = Vec::new();
        let mut take = |event: Event| {
            if let Event::AccessLogSealed(part) = event {
                parts.push(part);
            }
        };
        needs::each(&mut self.read().await?, "event_body", "seq", "body", &mut take).await?;
        Ok(parts)
    }
}
