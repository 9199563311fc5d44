//! The ledger: its events, its signed head, and its verification.

use stemma_api::{
    act::Nothing,
    acts::audit,
    types::{
        AuditEvent, AuditReport, BeginningProof, Checkpoint, ContentHealth, FindAccess, FindEvents, FoundAccess,
        InclusionProof, Lengths, Page, ProvedEvent,
    },
};
use stemma_core::{Problem, event::HistoryAccepted, history::KeySuccession};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&audit::EVENTS, events),
        route(&audit::ACCESS, access),
        route(&audit::VERIFY, verify),
        route(&audit::CHECKPOINT, checkpoint),
        route(&audit::PROVE, prove),
        route(&audit::CONSISTENCY, consistency),
        route(&audit::EXPORT, export),
        route(&audit::ACCEPT, accept),
        route(&audit::ROTATE_KEY, rotate_key),
        route(&audit::CONTENT, content),
    ]
}

async fn events(call: Call<(), Nothing, FindEvents>) -> Result<Page<AuditEvent>, Problem> {
    call.app.known().audit_events(&call.ask).await
}

async fn access(call: Call<(), Nothing, FindAccess>) -> Result<FoundAccess, Problem> {
    call.app.delivery.find_access(&call.ask).await
}

async fn verify(call: Call) -> Result<AuditReport, Problem> {
    Ok(call.app.delivery.audit_verify().await)
}

async fn checkpoint(call: Call) -> Result<Checkpoint, Problem> {
    call.app.engine().checkpoint().await
}

async fn prove(call: Call<(u64,)>) -> Result<InclusionProof, Problem> {
    let (event,) = call.at;
    call.app.engine().prove_event(event).await
}

async fn consistency(call: Call<(), Nothing, Lengths>) -> Result<BeginningProof, Problem> {
    call.app.engine().prove_beginning(call.ask).await
}

async fn export(call: Call<(u64,), Nothing, FindEvents>) -> Result<Page<ProvedEvent>, Problem> {
    let (events,) = call.at;
    call.app.engine().export_events(events, &call.ask).await
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
