//! Audit: a home checked against itself, as it lies there: no right, token or table is needed to look at it, so that
//! damage which keeps the home from being opened is named too.

mod home;
mod packages;
mod predictions;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use stemma_api::types::{AuditEvent, AuditReport, Checkpoint, Page};
use stemma_core::{Digest, Problem, audit::Check, history};
use stemma_ledger::LedgerAtRest;

use crate::{Engine, Layout, facts::ledger_problem};

/// Verifies what answers rest on in the home of a folder, which need not be open, and may be.
pub async fn audit_home(root: &Path) -> AuditReport {
    audit(&Layout::new(root)).await
}

/// What a home needs and holds besides its ledger.
pub struct HomeNeeds {
    /// Content that facts need, with who needs it.
    pub content: BTreeMap<Digest, BTreeSet<String>>,
    /// The part of the prediction log that is not sealed yet.
    pub predictions: Check,
}

/// Asks a home, as it lies there, what must be there.
pub async fn home_needs(root: &Path) -> Result<HomeNeeds, Problem> {
    let layout = Layout::new(root);
    let view = LedgerAtRest::open(&layout.ledger()).await.map_err(ledger_problem)?;
    let content = view.needed_content().await.map_err(ledger_problem)?;
    Ok(HomeNeeds { content, predictions: predictions::check(&layout, &view).await })
}

async fn audit(layout: &Layout) -> AuditReport {
    let view = LedgerAtRest::open(&layout.ledger()).await;
    let (home, check) = home::check(layout, view.as_ref().ok()).await;
    let mut report = match (&view, home) {
        (Ok(view), home) => {
            let origin = home.map_or(String::new(), history::origin);
            let mut report = view.verify(&layout.checkpoints(), &origin).await;
            report.add(signing_key(layout, view).await);
            report
        }
        (Err(error), _) => {
            let mut report = AuditReport::new();
            report.add(Check::impossible("ledger", error));
            report
        }
    };
    report.add(check);
    if let Ok(view) = &view {
        report.add(packages::check(layout, view).await);
        report.add(predictions::check(layout, view).await);
    }
    report
}

/// Where the key lies is what the home's file says; one that can't be read has a fault of its own.
async fn signing_key(layout: &Layout, view: &LedgerAtRest) -> Check {
    let outside = match layout.read_home() {
        Ok(home) => home.and_then(|home| home.signing_key),
        Err(problem) => return Check::impossible("signing key", problem.message),
    };
    view.check_key(&layout.checkpoints(), outside.as_deref()).await
}

impl Engine {
    /// Verifies the whole ledger, and names all that is not what it was.
    pub async fn audit_verify(&self) -> Result<AuditReport, Problem> {
        Ok(audit(self.layout()).await)
    }

    pub async fn audit_events(&self, after: u64, limit: u32) -> Result<Page<AuditEvent>, Problem> {
        let rows = self.ledger().events(after, limit).await.map_err(ledger_problem)?;
        let next = (rows.len() == limit as usize).then(|| rows.last().map(|row| row.seq.to_string())).flatten();
        let items = rows
            .into_iter()
            .map(|row| AuditEvent {
                seq: row.seq,
                time: row.time,
                actor: row.actor.principal,
                auth: row.actor.auth,
                kind: row.event.kind().to_owned(),
                subject: row.event.subject(),
                request: row.request,
                event: row.event,
            })
            .collect();
        Ok(Page { items, next })
    }

    /// The signed head of the ledger as it is now.
    pub async fn checkpoint(&self) -> Result<Checkpoint, Problem> {
        let checkpoint = self.ledger().checkpoint().await.map_err(ledger_problem)?;
        Ok(Checkpoint { note: checkpoint.note(), key: checkpoint.key().to_string() })
    }
}
