//! What was known at a moment. Facts are then those of that moment, whoever asks for them; what is not kept as it was
//! then is left out and named.

use std::sync::Arc;

use stemma_api::types::AsOf;
use stemma_core::{Digest, Problem, Timestamp, moment::Moment};

use super::{past::Past, sources::Known};
use crate::problem::ledger_problem;

impl Known {
    /// What was known at a moment; what is known now, if none is named.
    pub async fn as_of(&self, moment: Option<Moment>) -> Result<Self, Problem> {
        let Some(moment) = moment else { return Ok(self.clone()) };
        let (seq, time, not_yet) = match moment {
            Moment::After(seq) => (seq, self.time_of_event(seq).await?, None),
            Moment::At(time) => {
                let now = self.now();
                let known = time.min(now);
                let seq = self.ledger().last_event_at(known).await.map_err(ledger_problem)?;
                (seq, known, (time > now).then(|| format!("what happens from {now} to {time}: it is not over yet")))
            }
        };
        let past = Past::new(self.ledger().after(seq), moment, seq, time);
        not_yet.into_iter().for_each(|what| past.leave_out(what));
        Ok(self.in_past(Arc::new(past)))
    }

    async fn time_of_event(&self, seq: u64) -> Result<Timestamp, Problem> {
        let time = self.ledger().time_of_event(seq).await.map_err(ledger_problem)?;
        time.ok_or_else(|| {
            let newest = self.ledger().head_seq();
            Problem::not_found(format!("there is no event {seq}"))
                .hint(format!("the newest is {newest}; `stemma audit events` lists them"))
        })
    }

    /// Whether it is asked about the past.
    pub fn is_past(&self) -> bool {
        self.past().is_some()
    }

    /// The moment that is asked about, as it was named.
    pub fn moment(&self) -> Option<Moment> {
        self.past().map(|past| past.moment)
    }

    /// The last event that counts, if it is asked about the past.
    pub(crate) fn last_event(&self) -> Option<u64> {
        self.past().map(|past| past.seq)
    }

    /// Notes what can't be told as it was then. Of what is now, nothing is left out in this way.
    pub fn leave_out(&self, what: impl Into<String>) {
        if let Some(past) = self.past() {
            past.leave_out(what.into());
        }
    }

    /// About when the answers are that were given, and what was left out of them.
    pub fn told_as_of(&self) -> Option<AsOf> {
        self.past().map(Past::told)
    }

    /// A problem that may be one of that moment only.
    pub fn told_of_then(&self, problem: Problem) -> Problem {
        match self.past() {
            None => problem,
            Some(past) => {
                let message = format!("as of event {} ({}): {}", past.seq, past.time, problem.message);
                Problem { message, ..problem }
            }
        }
    }

    /// Reads content that an answer shows. Bytes are not kept as they were then: what is gone since is left out and named.
    pub(crate) async fn read_shown(&self, digest: Digest, most: u64, what: &str) -> Result<Option<Vec<u8>>, Problem> {
        if !self.is_past() {
            return self.read_content(digest, most).await.map(Some);
        }
        if let Some(purged) = self.tombstone(digest).await? {
            let (by, at, reason) = (purged.fact.actor.principal, purged.fact.time, purged.value.reason);
            self.leave_out(format!("{what}: `{digest}` was purged on {at} by {by}: {reason}"));
            return Ok(None);
        }
        match self.read_content(digest, most).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(problem) => {
                self.leave_out(format!("{what}: {}", problem.message));
                Ok(None)
            }
        }
    }
}
