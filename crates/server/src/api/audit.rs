//! The ledger: its events, its signed head, and its verification.

use stemma_api::{
    act::Nothing,
    acts::audit,
    types::{AuditEvent, AuditReport, Checkpoint, ContentHealth, Page, Paging},
};
use stemma_core::{Problem, event::HistoryAccepted, history::KeySuccession};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&audit::EVENTS, events),
        route(&audit::VERIFY, verify),
        route(&audit::CHECKPOINT, checkpoint),
        route(&audit::ACCEPT, accept),
        route(&audit::ROTATE_KEY, rotate_key),
        route(&audit::CONTENT, content),
    ]
}

async fn events(call: Call<(), Nothing, Paging<u64, 100>>) -> Result<Page<AuditEvent>, Problem> {
    let Paging { cursor, limit } = call.ask;
    call.app.known().audit_events(cursor.unwrap_or(0), limit.get()).await
}

async fn verify(call: Call) -> Result<AuditReport, Problem> {
    Ok(call.app.delivery.audit_verify().await)
}

async fn checkpoint(call: Call) -> Result<Checkpoint, Problem> {
    call.app.engine().checkpoint().await
}

async fn content(call: Call) -> Result<ContentHealth, Problem> {
    Ok(call.app.engine().content_health())
}

async fn accept(call: Call<(), HistoryAccepted>) -> Result<HistoryAccepted, Problem> {
    call.app.engine().accept_history(&call.caller, call.request, call.body).await
}

async fn rotate_key(call: Call) -> Result<KeySuccession, Problem> {
    call.app.engine().rotate_key(&call.caller, call.request, None).await
}
