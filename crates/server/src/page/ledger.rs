//! The ledger.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{AuditEvent, Page, Paging},
};
use stemma_core::Problem;

use super::{filters, head::Head, paper::html};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "ledger.html")]
struct LedgerPage {
    head: Head,
    events: Page<AuditEvent>,
}

pub async fn ledger(call: Call<(), Nothing, Paging<u64, 500>>) -> Result<Response, Problem> {
    let Paging { cursor, limit } = call.ask;
    let head = Head::of_home(call.app.known(), &call.caller).await?;
    html(LedgerPage { head, events: call.app.known().audit_events(cursor.unwrap_or(0), limit.get()).await? })
}
