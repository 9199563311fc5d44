//! Remember: what is kept of a request that reached a model.

use stemma_core::{
    Timestamp,
    name::PrincipalName,
    prediction::{LoggedTensor, NodeRecord, Outcome, PredictionId, PredictionRecord},
    route::{Arm, LogMode},
};
use stemma_tensor::logged;

use crate::{
    log::{AppendError, EncodedRecord, NewRecord, PredictionLog},
    question::Question,
    ran::{Ran, StepRan},
    table::{Endpoint, LoadedArm},
};

/// A request that was answered, or on which a model failed.
pub struct Finished<'a> {
    pub endpoint: &'a Endpoint,
    pub arm: (Arm<'a>, &'a LoadedArm),
    pub caller: PrincipalName,
    pub time: Timestamp,
    pub question: Question,
    pub ran: Ran,
    /// Every output of the contract.
    pub outputs: Vec<LoggedTensor>,
    pub outcome: Outcome,
    pub latency_us: u64,
}

/// Returns the record as the log takes it; `None` if the endpoint keeps no log.
pub fn encode(finished: Finished<'_>) -> Result<Option<EncodedRecord>, AppendError> {
    let (endpoint, revision) = (finished.endpoint, finished.endpoint.revision());
    if revision.log == LogMode::Off {
        return Ok(None);
    }
    let (assigned, loaded) = finished.arm;
    // one model's outputs are the answer's own, unless a rule had the last word
    let keep_outputs = loaded.program.has_inner_values() || !finished.ran.fired().is_empty();
    let node = |step: StepRan| NodeRecord {
        node: step.name,
        model: step.target.model,
        version: step.target.version,
        digest: step.target.digest,
        latency_us: step.latency_us,
        outputs: if keep_outputs { logged::from_tensors(&step.outputs) } else { Vec::new() },
    };
    let record = PredictionRecord {
        time: finished.time,
        endpoint: revision.endpoint.clone(),
        revision: revision.number,
        revision_digest: endpoint.revision_digest(),
        request_id: finished.question.id,
        caller: finished.caller,
        unit: finished.question.unit,
        variant: assigned.variant.to_owned(),
        propensity: assigned.share,
        outcome: finished.outcome,
        inputs: logged::from_tensors(&finished.question.inputs),
        outputs: finished.outputs,
        nodes: finished.ran.steps.into_iter().map(node).collect(),
        overrides: finished.ran.overrides,
        latency_us: finished.latency_us,
    };
    NewRecord { project: &revision.project, ordinal: revision.ordinal, record: &record }.encode().map(Some)
}

/// Keeps a record, if there is one; with `Durable` it is on disk when this returns.
pub async fn append(
    log: &PredictionLog,
    mode: LogMode,
    record: Option<EncodedRecord>,
) -> Result<Option<PredictionId>, AppendError> {
    match record {
        Some(record) => log.append(mode, record).await,
        None => Ok(None),
    }
}
