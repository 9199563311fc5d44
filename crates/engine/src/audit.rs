//! Audit: the ledger checked against itself, its signature and its tables.

use stemma_api::types::{AuditEvent, AuditReport, BadEvent, Checkpoint, Page};
use stemma_core::Problem;

use crate::{Engine, facts::ledger_problem};

impl Engine {
    /// Verifies the whole ledger and names the first bad event.
    pub async fn audit_verify(&self) -> Result<AuditReport, Problem> {
        let report = self.ledger().verify().await.map_err(ledger_problem)?;
        Ok(AuditReport {
            passed: report.first_bad.is_none(),
            events: report.events,
            root: report.root.to_string(),
            first_bad: report.first_bad.map(|bad| BadEvent { seq: bad.seq, what: bad.what }),
            checks: report.checks,
        })
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
