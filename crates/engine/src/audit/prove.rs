//! Prove: what somebody without us verifies of the history.

use stemma_api::types::{BeginningProof, EventOrder, FindEvents, InclusionProof, Lengths, Page, ProvedEvent};
use stemma_core::Problem;
use stemma_ledger::Asked;

use super::events::event_filter;
use crate::{Engine, problem::ledger_problem};

impl Engine {
    /// That an event is in the history as it is now.
    pub async fn prove_event(&self, seq: u64) -> Result<InclusionProof, Problem> {
        let proof = self.known().ledger().prove(seq).await.map_err(ledger_problem)?;
        proof.ok_or_else(|| self.no_events(&format!("there is no event {seq}")))
    }

    /// That one length of the history is a beginning of another.
    pub async fn prove_beginning(&self, Lengths { first, second }: Lengths) -> Result<BeginningProof, Problem> {
        if let Some(second) = second.filter(|second| *second < first) {
            return Err(Problem::invalid(format!("{first} events are no beginning of {second}"))
                .hint("name the shorter history first"));
        }
        let proof = self.known().ledger().prove_beginning(first, second).await.map_err(ledger_problem)?;
        proof.ok_or_else(|| self.no_events(&format!("there are no {} events", second.unwrap_or(first))))
    }

    /// Events as they are hashed, in the history of a length; some of them with their paths.
    pub async fn export_events(&self, size: u64, ask: &FindEvents) -> Result<Page<ProvedEvent>, Problem> {
        if size > self.known().ledger().head_seq() {
            return Err(self.no_events(&format!("there are no {size} events")));
        }
        if ask.order == EventOrder::Newest {
            return Err(Problem::invalid("an export begins with the oldest event").hint("leave `order` out"));
        }
        let filter = event_filter(self.known(), ask).await?;
        let asked = if ask.is_of_all() { Asked::All } else { Asked::Those(&filter) };
        let (after, limit) = (ask.cursor.unwrap_or(0), ask.limit.get());
        let events = self.known().ledger().proved_events(asked, size, after, limit + 1).await;
        Ok(Page::of(events.map_err(ledger_problem)?, limit, |last| last.seq))
    }

    fn no_events(&self, message: &str) -> Problem {
        let newest = self.known().ledger().head_seq();
        Problem::not_found(message).hint(format!("the newest event is {newest}"))
    }
}
