//! The ledger.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{AuditEvent, EventOrder, FindEvents, Page},
};
use stemma_core::{Problem, event::Event};

use super::{filters, head::Head, paper::html};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "ledger.html")]
struct LedgerPage {
    head: Head,
    events: Page<AuditEvent>,
    /// Where it goes on.
    next: Option<String>,
    kinds: &'static [&'static str],
    ask: FindEvents,
}

impl LedgerPage {
    fn is_asked(&self, kind: &str) -> bool {
        self.ask.kind.iter().any(|one| one == kind)
    }
}

pub async fn ledger(call: Call<(), Nothing, FindEvents>) -> Result<Response, Problem> {
    let head = Head::of_home(&call).await?;
    let (ask, known) = (call.ask, call.app.known());
    let events = known.audit_events(&ask).await?;
    let further = |cursor: u64| FindEvents { cursor: Some(cursor), ..ask.clone() };
    let next = events.next.as_ref().and_then(|cursor| cursor.parse().ok()).map(|cursor| href::events(&further(cursor)));
    html(LedgerPage { head, events, next, kinds: &Event::KINDS, ask })
}
