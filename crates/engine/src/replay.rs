//! Replay: the same version, the same input; the same bits?

use stemma_api::types::{OutputComparison, Replay};
use stemma_core::{
    ErrorKind, Problem,
    prediction::{Outcome, PredictionId},
};
use stemma_gateway::logged;

use crate::{Caller, Engine, problem::internal};

impl Engine {
    /// Runs a recorded request through the recorded bytes of its model again and compares every output.
    pub async fn replay(&self, caller: &Caller, prediction: &PredictionId) -> Result<Replay, Problem> {
        let record = self.find_prediction(caller, prediction).await?.record;
        if let Outcome::Failed { message } = &record.outcome {
            return Err(Problem::invalid(format!("this prediction failed when it was made: {message}")));
        }
        let [node] = record.nodes.as_slice() else {
            return Err(Problem::invalid("only predictions of one model can be replayed by this version of Stemma"));
        };
        let model = self.load_model(node.digest).await?;
        let inputs = logged::to_tensors(&record.inputs)
            .map_err(|error| Problem::new(ErrorKind::Corrupt, format!("the recorded input can't be read: {error}")))?;
        let outputs = tokio::task::spawn_blocking(move || model.run(inputs)).await.map_err(internal)?;
        let outputs =
            outputs.map_err(|error| Problem::invalid(format!("the model fails on the recorded input: {error}")))?;
        let replayed = logged::from_tensors(&outputs);
        let mut compared = Vec::new();
        for recorded in record.outputs {
            let again = replayed.iter().find(|tensor| tensor.name == recorded.name);
            let again =
                again.ok_or_else(|| Problem::invalid(format!("the model has no output `{}`", recorded.name)))?;
            compared.push(OutputComparison {
                name: recorded.name.clone(),
                same_bits: *again == recorded,
                replayed: again.clone(),
                recorded,
            });
        }
        Ok(Replay {
            prediction: *prediction,
            version: format!("{}@{}", node.model, node.version),
            digest: node.digest,
            same_bits: compared.iter().all(|output| output.same_bits),
            outputs: compared,
        })
    }
}
