//! Remember: what is kept of a request that reached an endpoint.

use stemma_core::endpoint::{
    declaration::LogMode,
    prediction::{LoggedTensor, NodeRecord, Outcome, PredictionRecord},
    target::{Identity, StepKind},
};
use stemma_tensor::logged;

use crate::{
    arrival::{Arrival, micros},
    log::{AppendError, Kept, NewRecord, PredictionLog},
    question::Question,
    ran::{Ran, StepRan},
    refused::Refused,
    table::Drawn,
};

/// What came of a request that was sent to an arm.
pub struct Story<'a> {
    pub question: Question,
    pub drawn: Drawn<'a>,
    pub ran: Ran,
    /// Every output of the contract.
    pub outputs: Vec<LoggedTensor>,
    pub outcome: Outcome,
}

/// Hands the record of a request that was sent to an arm to the log; `None` if the endpoint keeps none.
pub async fn keep(log: &PredictionLog, arrival: &Arrival, story: Story<'_>) -> Result<Option<Kept>, Refused> {
    let mode = arrival.endpoint.revision().log;
    if mode == LogMode::Off {
        return Ok(None);
    }
    let record = story.record(arrival);
    keep_record(log, arrival, mode, &record).await.map_err(Refused::from)
}

/// Hands a record to the log; `None` if the endpoint keeps none.
pub async fn keep_record(
    log: &PredictionLog,
    arrival: &Arrival,
    mode: LogMode,
    record: &PredictionRecord,
) -> Result<Option<Kept>, AppendError> {
    let revision = arrival.endpoint.revision();
    if revision.log == LogMode::Off {
        return Ok(None);
    }
    let new = NewRecord { project: &revision.project, ordinal: revision.ordinal, record };
    log.take(mode, new.encode()?).await.map(Some)
}

impl Story<'_> {
    fn record(self, arrival: &Arrival) -> PredictionRecord {
        let Self { question, drawn, ran, outputs, outcome } = self;
        // one model's outputs are the answer's own, unless a rule had the last word
        let keep_outputs = drawn.arm.program.has_inner_values() || !ran.fired().is_empty();
        let node = |step: StepRan| NodeRecord {
            node: step.name,
            kind: StepKind::Model,
            what: Identity::Digest(step.target.digest),
            model: Some(step.target.model),
            version: Some(step.target.version),
            began_us: Some(micros(step.began.saturating_duration_since(arrival.arrived))),
            latency_us: step.latency_us,
            ended: Some(step.ended),
            outputs: if keep_outputs { logged::from_tensors(&step.outputs) } else { Vec::new() },
        };
        PredictionRecord {
            request_id: question.id,
            draw: Some(drawn.draw),
            arm: Some(drawn.taken),
            inputs: logged::from_tensors(&question.inputs),
            outputs,
            nodes: ran.steps.into_iter().map(node).collect(),
            overrides: ran.overrides,
            ..arrival.record(outcome)
        }
    }
}
