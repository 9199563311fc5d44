//! The ledger.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{AuditEvent, Checkpoint, EventOrder, FindEvents, KeptHead, Lengths, Page},
};
use stemma_core::{ErrorKind, Problem, event::Event};
use stemma_engine::Engine;

use super::{filters, head::Head, paper::html};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "ledger.html")]
struct LedgerPage {
    head: Head,
    events: Page<AuditEvent>,
    /// Where it goes on.
    next: Option<String>,
    kinds: &'static [&'static str],
    ask: FindEvents,
}

impl LedgerPage {
    fn is_asked(&self, kind: &str) -> bool {
        self.ask.kind.iter().any(|one| one == kind)
    }
}

pub async fn ledger(call: Call<(), Nothing, FindEvents>) -> Result<Response, Problem> {
    let head = Head::of_home(&call).await?;
    let (ask, known) = (call.ask, call.app.known());
    let events = known.audit_events(&ask).await?;
    let further = |cursor: u64| FindEvents { cursor: Some(cursor), ..ask.clone() };
    let next = events.next.as_ref().and_then(|cursor| cursor.parse().ok()).map(|cursor| href::events(&further(cursor)));
    html(LedgerPage { head, events, next, kinds: &Event::KINDS, ask })
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    head: Head,
    checkpoint: Checkpoint,
    ask: KeptHead,
    compared: Option<Compared>,
}

/// How the history stands to a head that somebody kept.
enum Compared {
    /// It goes on from it, and has so many events now.
    Continues { events: u64 },
    /// It had another root at that length.
    Differs { root: String },
    /// It is shorter, or can't prove it: why.
    Unproved { why: String },
}

pub async fn kept_head(call: Call<(), Nothing, KeptHead>) -> Result<Response, Problem> {
    let head = Head::of_home(&call).await?;
    let (engine, ask) = (call.app.engine(), call.ask);
    let compared = match (ask.size, &ask.root) {
        (Some(size), Some(root)) => Some(compare(engine, size, root).await?),
        (None, None) => None,
        _ => return Err(Problem::invalid("a head that was kept is a number of events and a root").hint("give both")),
    };
    html(HistoryPage { head, checkpoint: engine.checkpoint().await?, ask, compared })
}

/// Proves that the first events are a beginning of all, checks the proof, and compares their root with the one that was kept.
async fn compare(engine: &Engine, size: u64, root: &str) -> Result<Compared, Problem> {
    let proof = match engine.prove_beginning(Lengths { first: size, second: None }).await {
        Ok(proof) => proof,
        Err(problem) if problem.kind == ErrorKind::NotFound => return Ok(Compared::Unproved { why: problem.message }),
        Err(problem) => return Err(problem),
    };
    Ok(match proof.check() {
        Err(error) => Compared::Unproved { why: error.to_string() },
        Ok(_) if proof.first.root != root => Compared::Differs { root: proof.first.root },
        Ok(now) => Compared::Continues { events: now.size() },
    })
}
