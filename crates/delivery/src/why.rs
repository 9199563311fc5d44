//! Why: from one prediction to everything that made it what it is.

use stemma_api::types::Why;
use stemma_core::{Problem, endpoint::prediction::PredictionId};
use stemma_engine::{
    Caller,
    lineage::{Start, draw_above},
};

use crate::{
    Delivery,
    feedback::about,
    prediction::{find_prediction, lost},
    trace::same_trace,
};

impl Delivery {
    /// Explains a prediction.
    pub async fn why(&self, caller: &Caller, prediction: &PredictionId) -> Result<Why, Problem> {
        let found = find_prediction(self, caller, prediction).await?;
        let revision = self.known().revision_that_answered(&found.record).await?;
        let project = self.known().endpoint_if_any(&found.record.endpoint).await?.map(|found| found.project);
        let project = project.ok_or_else(|| lost(prediction))?;
        let mut models = Vec::new();
        let mut asked = Vec::new();
        for node in &found.record.nodes {
            let (Some(model), Some(version)) = (&node.model, &node.version) else { continue };
            if !asked.contains(&(model, version)) {
                asked.push((model, version));
                models.push(self.known().version(&project, model, &version.to_string()).await?);
            }
        }
        let start = Start::answer(prediction, &found.record, revision.as_ref());
        let (tree, mut reasons) = draw_above(self.known(), &project, &start).await?;
        let told = match about(self, prediction.open(self.prediction_key()).into_iter().collect()).await {
            Ok(mut told) => {
                reasons.append(&mut told.gaps);
                told.feedback.into_values().flatten().collect()
            }
            Err(problem) => {
                reasons.push(format!("what came of it could not be looked for: {problem}"));
                Vec::new()
            }
        };
        reasons.extend(found.record.reported.iter().map(|reported| {
            let by = &found.record.caller;
            format!("it was made elsewhere and reported by {by} at {}: what answered was not seen here", reported.time)
        }));
        let together = match same_trace(self, caller, prediction, &found.record).await {
            Ok((together, mut untraced)) => {
                reasons.append(&mut untraced);
                together
            }
            Err(problem) => {
                reasons.push(format!("the others of its trace could not be looked for: {problem}"));
                Vec::new()
            }
        };
        let head = self.known().ledger_head().await?;
        Ok(Why {
            prediction: *prediction,
            project,
            together,
            record: found.record,
            stored_in: found.stored_in,
            revision,
            models,
            feedback: told,
            tree,
            reasons,
            ledger_size: head.size,
            ledger_root: head.root,
        })
    }
}
