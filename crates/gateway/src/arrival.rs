//! What is known of a request before anybody has read its body, and what is kept of it if nobody ever does.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use stemma_core::{
    Timestamp,
    endpoint::prediction::{Outcome, PredictionRecord, RECORD_VERSION, Trace},
    name::PrincipalName,
};

use crate::table::Endpoint;

/// Characters of a message that are kept; it may quote the request.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// A request that an endpoint has let in.
pub struct Arrival {
    pub endpoint: Arc<Endpoint>,
    pub caller: PrincipalName,
    pub time: Timestamp,
    pub arrived: Instant,
    /// `X-Request-Id`, for a question that has no id of its own.
    pub request_id: Option<String>,
    pub trace: Option<Trace>,
    /// `X-Stemma-Unit`, which goes before the question's own.
    pub unit: Option<String>,
}

impl Arrival {
    /// The record of a request that went no further, and why. Whoever named a unit in the head is found by it.
    pub fn refused(&self, outcome: Outcome) -> PredictionRecord {
        let draw = self.unit.clone().map(|unit| self.endpoint.draw(Some(unit)).draw);
        PredictionRecord { draw, ..self.record(outcome) }
    }

    /// What every record of the request says.
    pub fn record(&self, outcome: Outcome) -> PredictionRecord {
        let revision = self.endpoint.revision();
        PredictionRecord {
            v: RECORD_VERSION,
            time: self.time,
            endpoint: revision.endpoint.clone(),
            revision: revision.number,
            revision_digest: self.endpoint.revision_digest(),
            request_id: self.request_id.clone(),
            trace: self.trace,
            caller: self.caller.clone(),
            subject: None,
            draw: None,
            arm: None,
            outcome: shortened(outcome),
            inputs: Vec::new(),
            outputs: Vec::new(),
            nodes: Vec::new(),
            overrides: Vec::new(),
            latency_us: micros(self.arrived.elapsed()),
            reported: None,
        }
    }
}

fn shortened(mut outcome: Outcome) -> Outcome {
    if let Outcome::Failed { message, .. } | Outcome::Refused { message, .. } = &mut outcome
        && let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX)
    {
        message.truncate(end);
    }
    outcome
}

pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
