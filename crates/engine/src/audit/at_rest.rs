//! A home's ledger, as it lies there.

use stemma_core::Problem;
use stemma_ledger::LedgerAtRest;

use crate::{Layout, problem::ledger_problem};

/// The ledger of a home, which need not be open, and may be.
pub async fn look_at(layout: &Layout) -> Result<LedgerAtRest, Problem> {
    LedgerAtRest::open(&layout.ledger_url()?).await.map_err(ledger_problem)
}
