//! Audit: a home checked against itself, as it lies there: no right, token or table is needed to look at it, so that
//! damage which keeps the home from being opened is named too.

mod at_rest;
mod events;
mod history;
mod home;
mod packages;
mod prove;
mod witness;

pub use self::{at_rest::look_at, history::look_at_history};

use stemma_api::types::AuditReport;
use stemma_core::{audit::Check, history::origin};
use stemma_ledger::LedgerAtRest;

use crate::Layout;

/// Verifies ledger and home file of a folder, which need not be open, and may be; returns the ledger that was read, if it
/// could be.
pub async fn audit_facts(layout: &Layout) -> (AuditReport, Option<LedgerAtRest>) {
    let view = look_at(layout).await;
    let (home, check) = home::check(layout, view.as_ref().ok()).await;
    let mut report = match (&view, home) {
        (Ok(view), home) => {
            let origin = home.map_or(String::new(), origin);
            let mut report = view.verify(&layout.checkpoints(), &origin).await;
            report.add(signing_key(layout, view).await);
            report
        }
        (Err(problem), _) => {
            let mut report = AuditReport::new();
            report.add(Check::impossible("ledger", &problem.message));
            report
        }
    };
    report.add(check);
    if let Ok(view) = &view {
        report.add(packages::check(layout, view).await);
    }
    (report, view.ok())
}

/// Where the key lies is what the home's file says; one that can't be read has a fault of its own.
async fn signing_key(layout: &Layout, view: &LedgerAtRest) -> Check {
    let outside = match layout.read_home() {
        Ok(home) => home.and_then(|home| home.signing_key),
        Err(problem) => return Check::impossible("signing key", problem.message),
    };
    view.check_key(&layout.checkpoints(), outside.as_deref()).await
}
