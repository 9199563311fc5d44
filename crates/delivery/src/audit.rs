//! Audit: a home checked against itself, as it lies there: no right, token or table is needed to look at it, so that
//! damage which keeps the home from being opened is named too.

mod access;
mod logs;

use std::collections::{BTreeMap, BTreeSet};

use stemma_api::types::AuditReport;
use stemma_core::{Digest, Problem, audit::Check};
use stemma_engine::{
    Layout,
    audit::{audit_facts, look_at},
    problem::ledger_problem,
};

use crate::Delivery;

/// Verifies what answers rest on in the home of a folder, which need not be open, and may be.
pub async fn audit_home(layout: &Layout) -> AuditReport {
    let (mut report, ledger) = audit_facts(layout).await;
    if let Some(ledger) = &ledger {
        report.add(logs::check_predictions(layout, ledger).await);
        report.add(logs::check_feedback(layout, ledger).await);
        report.add(access::check(layout, ledger).await);
    }
    report
}

/// What a home needs and holds besides its ledger.
pub struct HomeNeeds {
    /// Content that facts need, with who needs it.
    pub content: BTreeMap<Digest, BTreeSet<String>>,
    /// The parts of the logs that are not sealed yet.
    pub predictions: Check,
    pub feedback: Check,
}

/// Asks a home, as it lies there, what must be there.
pub async fn home_needs(layout: &Layout) -> Result<HomeNeeds, Problem> {
    let view = look_at(layout).await?;
    let content = view.needed_content().await.map_err(ledger_problem)?;
    let predictions = logs::check_predictions(layout, &view).await;
    Ok(HomeNeeds { content, predictions, feedback: logs::check_feedback(layout, &view).await })
}

impl Delivery {
    /// Verifies the whole home, and names all that is not what it was.
    pub async fn audit_verify(&self) -> AuditReport {
        audit_home(self.known().layout()).await
    }
}
