//! The ledger: its events, its signed head, and its verification.

use stemma_api::{
    paths,
    types::{AuditEvent, AuditReport, Checkpoint, ContentHealth, Page},
};
use stemma_core::{Problem, event::HistoryAccepted, history::KeySuccession};

use super::{Route, json_route};
use crate::context::Context;

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(GET paths::AUDIT_EVENTS, Audit, "governed changes in order", events, => Page<AuditEvent>),
        json_route!(POST paths::AUDIT_VERIFY, Audit, "check everything that answers rest on against the ledger and its signature", verify, => AuditReport),
        json_route!(GET paths::AUDIT_CHECKPOINT, Audit, "the signed head of the ledger", checkpoint, => Checkpoint),
        json_route!(POST paths::AUDIT_ACCEPT, ManageRights, "go on with this history although another is remembered", accept, HistoryAccepted => HistoryAccepted),
        json_route!(POST paths::AUDIT_KEY, ManageRights, "sign with a new key from now on", rotate_key, => KeySuccession),
        json_route!(GET paths::AUDIT_CONTENT, Audit, "what was found when stored content was read back", content, => ContentHealth),
    ]
}

async fn events(context: Context) -> Result<Page<AuditEvent>, Problem> {
    let limit = context.limit(100, 1000)?;
    let after = match context.query("after") {
        None => 0,
        Some(text) => text.parse().map_err(|_| Problem::invalid(format!("`after` is `{text}`, expected a number")))?,
    };
    context.app.known().audit_events(after, limit).await
}

async fn verify(context: Context) -> Result<AuditReport, Problem> {
    Ok(context.app.delivery.audit_verify().await)
}

async fn checkpoint(context: Context) -> Result<Checkpoint, Problem> {
    context.app.engine().checkpoint().await
}

async fn content(context: Context) -> Result<ContentHealth, Problem> {
    Ok(context.app.engine().content_health())
}

async fn accept(mut context: Context) -> Result<HistoryAccepted, Problem> {
    let accept = context.json().await?;
    context.app.engine().accept_history(&context.caller, context.request, accept).await
}

async fn rotate_key(context: Context) -> Result<KeySuccession, Problem> {
    context.app.engine().rotate_key(&context.caller, context.request, None).await
}
