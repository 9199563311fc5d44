//! Replay: the same versions, the same input; the same bits?

use stemma_api::types::{NodeComparison, OutputComparison, Replay};
use stemma_core::{
    ErrorKind, Problem,
    endpoint::prediction::{LoggedTensor, NodeRecord, Outcome, PredictionId, PredictionRecord},
};
use stemma_engine::{Caller, problem::internal};
use stemma_gateway::{Failure, Ran, StepRan, on_its_own_thread};
use stemma_tensor::logged;

use crate::{
    Delivery,
    again::{load_again, recorded_inputs},
    prediction::find_prediction,
};

impl Delivery {
    /// Runs a recorded request through the recorded bytes of its models again, with the overrides that held then, and
    /// compares everything that was recorded.
    pub async fn replay(&self, caller: &Caller, prediction: &PredictionId) -> Result<Replay, Problem> {
        let record = find_prediction(self, caller, prediction).await?.record;
        match &record.outcome {
            Outcome::Answered => {}
            Outcome::Failed { message, .. } => {
                return Err(Problem::invalid(format!("this prediction failed when it was made: {message}")));
            }
            Outcome::Refused { message, .. } => {
                return Err(Problem::invalid(format!("this request was refused when it was made: {message}")));
            }
        }
        let ran = self.run_again(&record).await?;
        let outputs = ran.result.map_err(|failure| match failure {
            Failure::Request(reason) | Failure::Model(reason) => {
                Problem::invalid(format!("the models fail on the recorded input: {reason}"))
            }
        })?;
        let outputs = compare_outputs(&record.outputs, &logged::from_tensors(&outputs))?;
        let nodes = compare_nodes(&record.nodes, &ran.steps)?;
        let same_bits = outputs.iter().all(|output| output.same_bits)
            && nodes.iter().all(|node| node.same_bits)
            && ran.overrides == record.overrides;
        let last = nodes.last().ok_or_else(|| Problem::invalid("the record names no model"))?;
        let versions: Vec<&str> = nodes.iter().map(|node| node.version.as_str()).collect();
        Ok(Replay {
            prediction: *prediction,
            version: versions.join(", "),
            digest: last.digest,
            same_bits,
            outputs,
            nodes: if nodes.len() > 1 { nodes } else { Vec::new() },
        })
    }

    /// Loads what the record's revision says and runs it at the record's time.
    async fn run_again(&self, record: &PredictionRecord) -> Result<Ran, Problem> {
        let program = load_again(self.known(), record).await?;
        let inputs = recorded_inputs(&record.inputs)?;
        let time = record.time;
        on_its_own_thread(async move { program.run(&inputs, time).await }).await.map_err(internal)
    }
}

fn compare_outputs(recorded: &[LoggedTensor], replayed: &[LoggedTensor]) -> Result<Vec<OutputComparison>, Problem> {
    let mut compared = Vec::new();
    for recorded in recorded {
        let again = replayed.iter().find(|tensor| tensor.name == recorded.name);
        let again = again.ok_or_else(|| Problem::invalid(format!("there is no output `{}` now", recorded.name)))?;
        compared.push(OutputComparison {
            name: recorded.name.clone(),
            same_bits: again == recorded,
            recorded: recorded.clone(),
            replayed: again.clone(),
        });
    }
    Ok(compared)
}

/// A step whose outputs were left out of the record gave the record's own outputs.
fn compare_nodes(recorded: &[NodeRecord], ran: &[StepRan]) -> Result<Vec<NodeComparison>, Problem> {
    let mut compared = Vec::new();
    for (recorded, step) in recorded.iter().zip(ran) {
        let replayed = logged::from_tensors(&step.outputs);
        let digest = recorded.what.digest().ok_or_else(|| {
            Problem::invalid(format!("step `{}` asked {}, which can't be asked again", recorded.node, recorded.asked()))
        })?;
        compared.push(NodeComparison {
            node: recorded.node.clone(),
            version: recorded.asked(),
            digest,
            same_bits: digest == step.target.digest && (recorded.outputs.is_empty() || recorded.outputs == replayed),
        });
    }
    if recorded.len() == ran.len() {
        return Ok(compared);
    }
    Err(Problem::new(ErrorKind::Corrupt, format!("{} of {} steps are recorded", recorded.len(), ran.len())))
}
