//! Comparing two predictions: side by side as they were recorded, and by asking the one's route with the other's values.

mod effects;
mod sides;

use stemma_api::types::{Effects, PredictionComparison};
use stemma_core::{
    Problem,
    endpoint::prediction::{Outcome, PredictionId, PredictionRecord},
};
use stemma_engine::{Caller, problem::internal};
use stemma_gateway::on_its_own_thread;

use self::{effects::Mixture, sides::sides};
use crate::{
    Delivery,
    again::{load_again, recorded_inputs},
    prediction::find_prediction,
};

impl Delivery {
    /// Compares two predictions. Why the route of the first can't be asked is said beside what was recorded.
    pub async fn compare_predictions(
        &self,
        caller: &Caller,
        a: &PredictionId,
        b: &PredictionId,
    ) -> Result<PredictionComparison, Problem> {
        let record_a = find_prediction(self, caller, a).await?.record;
        let record_b = find_prediction(self, caller, b).await?.record;
        let mut reasons = Vec::new();
        let effects = match not_answered(&record_a, &record_b) {
            Some(reason) => Err(Problem::invalid(reason)),
            None => effects(self, &record_a, &record_b, &mut reasons).await,
        };
        let effects = effects.map_err(|problem| reasons.push(not_asked(&problem))).ok();
        Ok(PredictionComparison { effects, reasons, ..sides((a, &record_a), (b, &record_b)) })
    }
}

fn not_asked(problem: &Problem) -> String {
    format!("which inputs make the difference is not known: {}", problem.message)
}

fn not_answered(a: &PredictionRecord, b: &PredictionRecord) -> Option<String> {
    let unanswered =
        [("first", a), ("second", b)].into_iter().find(|(_, record)| record.outcome != Outcome::Answered)?;
    Some(format!("the {} request was not answered, but {}", unanswered.0, unanswered.1.outcome.status()))
}

/// Asks the route of a with values of b.
async fn effects(
    delivery: &Delivery,
    a: &PredictionRecord,
    b: &PredictionRecord,
    reasons: &mut Vec<String>,
) -> Result<Effects, Problem> {
    let program = load_again(delivery.known(), a).await?;
    let (inputs_a, inputs_b) = (recorded_inputs(&a.inputs)?, recorded_inputs(&b.inputs)?);
    let mixture = Mixture::of(program, a.time, inputs_a, inputs_b)?;
    let (outputs_a, outputs_b) = (a.outputs.clone(), b.outputs.clone());
    let work = async move { mixture.explain(&outputs_a, &outputs_b).await };
    let (effects, more) = on_its_own_thread(work).await.map_err(internal)??;
    reasons.extend(more);
    Ok(effects)
}
