//! What happened to a thing, on its page.

use stemma_api::types::{AuditEvent, Page};
use stemma_core::{Problem, event::about::About, name::ProjectName};
use stemma_engine::Known;

/// Changes that are told; the ledger has the others.
const SHOWN: u32 = 50;

/// What people decided about it, the newest first.
pub async fn history(known: &Known, project: &ProjectName, about: About) -> Result<Page<AuditEvent>, Problem> {
    known.history_of(project, about, SHOWN).await
}
