//! Recorded predictions, asked again with another version in the place of the one that answered.

use std::{collections::HashMap, sync::Arc};

use stemma_api::types::{FindPredictions, Limit, ModelVersion};
use stemma_core::{
    Digest, Problem,
    behaviour::Tally,
    endpoint::prediction::{Outcome, PredictionId, PredictionRecord},
    name::ProjectName,
    rights::Action,
};
use stemma_engine::{Caller, problem::internal};
use stemma_gateway::{Program, Ran, on_its_own_thread};
use stemma_onnx::Model;
use stemma_tensor::logged;

use crate::{
    Delivery,
    again::{StandIn, load_with, recorded_inputs},
    prediction::find_prediction,
};

/// Newest predictions of the earlier version that are asked again.
const PREDICTIONS_MAX: u32 = 200;

/// What answers a record now, by its revision and arm; the error says why nothing does.
type Programs = HashMap<(Digest, String), Result<Arc<Program>, String>>;

/// Asks another model what the log holds of the earlier version, the newest first, until an answer differs.
pub(super) async fn ask_predictions(
    delivery: &Delivery,
    caller: &Caller,
    project: &ProjectName,
    earlier: &ModelVersion,
    model: &Arc<Model>,
    tally: &mut Tally,
) -> Result<(), Problem> {
    if caller.may(Action::ReadPredictions, Some(project)).is_err() {
        tally.left_out.push("logged predictions, which who asked may not see".to_owned());
        return Ok(());
    }
    let ask = FindPredictions {
        version: Some(earlier.name()),
        limit: Limit::near(PREDICTIONS_MAX),
        ..FindPredictions::default()
    };
    let found = delivery.find_predictions(caller, project, &ask).await?;
    let stand_in = StandIn { model: earlier.model.clone(), version: earlier.number, with: Arc::clone(model) };
    let mut programs = Programs::new();
    for one in &found.items {
        ask_again(delivery, caller, &one.prediction, &stand_in, &mut programs, tally).await?;
        if tally.differs {
            return Ok(());
        }
    }
    if found.next.is_some() {
        tally.left_out.push(format!("predictions before the newest {}", found.items.len()));
    }
    tally.left_out.extend(found.reasons);
    Ok(())
}

async fn ask_again(
    delivery: &Delivery,
    caller: &Caller,
    prediction: &PredictionId,
    stand_in: &StandIn,
    programs: &mut Programs,
    tally: &mut Tally,
) -> Result<(), Problem> {
    let record = match find_prediction(delivery, caller, prediction).await {
        Ok(found) => found.record,
        Err(problem) => {
            leave_out(tally, problem.message);
            return Ok(());
        }
    };
    if record.outcome != Outcome::Answered {
        return Ok(());
    }
    let arm = record.arm.as_ref().map(|arm| arm.name.clone()).unwrap_or_default();
    let key = (record.revision_digest, arm);
    if !programs.contains_key(&key) {
        let loaded = load_with(delivery.known(), &record, stand_in).await;
        programs.insert(key.clone(), loaded.map(Arc::new).map_err(|problem| problem.message));
    }
    let program = match &programs[&key] {
        Ok(program) => Arc::clone(program),
        Err(why) => {
            leave_out(tally, format!("predictions that can't be asked again: {why}"));
            return Ok(());
        }
    };
    let (inputs, time) = (recorded_inputs(&record.inputs)?, record.time);
    let rows = inputs.first().and_then(|(_, tensor)| tensor.shape().first().copied()).unwrap_or(1).max(1);
    let ran = on_its_own_thread(async move { program.run(&inputs, time).await }).await.map_err(internal)?;
    tally.predictions += 1;
    tally.rows += rows as u64;
    tally.differs = !is_same(&record, &ran);
    Ok(())
}

fn leave_out(tally: &mut Tally, why: String) {
    if !tally.left_out.contains(&why) {
        tally.left_out.push(why);
    }
}

/// Whether every answer has the bits that were recorded, of each step and after the overrides.
fn is_same(record: &PredictionRecord, ran: &Ran) -> bool {
    let Ok(outputs) = &ran.result else { return false };
    let outputs = logged::from_tensors(outputs);
    let has_outputs = record.outputs.iter().all(|output| outputs.contains(output));
    let steps = record.nodes.iter().zip(&ran.steps);
    let mut same_steps =
        steps.map(|(node, step)| node.outputs.is_empty() || node.outputs == logged::from_tensors(&step.outputs));
    has_outputs
        && outputs.len() == record.outputs.len()
        && record.nodes.len() == ran.steps.len()
        && same_steps.all(|same| same)
        && ran.overrides == record.overrides
}
