//! The home itself: which it is, where it lies, how long its history is.

use stemma_core::{
    ErrorKind, Problem, Timestamp,
    event::Event,
    id::{HomeId, RequestId},
    record::Actor,
};
use stemma_ledger::Head;

use super::sources::Known;
use crate::{layout::Layout, problem::ledger_problem};

impl Known {
    /// The events of an earlier commit under this request id. Another's id is not for us to use or to see.
    pub async fn committed(&self, actor: &Actor, request: RequestId) -> Result<Option<Vec<Event>>, Problem> {
        match self.ledger().committed(request).await.map_err(ledger_problem)? {
            Some(earlier) if earlier.fact.actor.principal != actor.principal => {
                Err(Problem::new(ErrorKind::Conflict, "this request id was used by somebody else"))
            }
            earlier => Ok(earlier.map(|earlier| earlier.value)),
        }
    }

    pub async fn ledger_head(&self) -> Result<Head, Problem> {
        self.ledger().head().await.map_err(ledger_problem)
    }

    pub fn home_id(&self) -> HomeId {
        self.0.home
    }

    /// A problem as it may be told to somebody on another machine, or to whoever can't see our files.
    pub fn for_others(&self, problem: Problem) -> Problem {
        let hidden = |text: &String| self.layout().hide_root(text);
        Problem {
            message: hidden(&problem.message),
            hint: problem.hint.as_ref().map(hidden),
            missing: problem.missing.iter().map(hidden).collect(),
            ..problem
        }
    }

    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// The time that it is now, or was at the moment that is asked about.
    pub fn now(&self) -> Timestamp {
        self.past().map_or_else(|| self.0.clock.now(), |past| past.time)
    }
}
