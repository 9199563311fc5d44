//! Why: from one prediction to everything that made it what it is.

use stemma_api::types::Why;
use stemma_core::{Problem, endpoint::prediction::PredictionId};
use stemma_engine::{
    Caller,
    lineage::{Start, draw_above},
};

use crate::{Delivery, prediction::find_prediction};

impl Delivery {
    /// Explains a prediction.
    pub async fn why(&self, caller: &Caller, prediction: &PredictionId) -> Result<Why, Problem> {
        let found = find_prediction(self, caller, prediction).await?;
        let revision = self.known().revision_by_digest(&found.record).await?;
        let project = revision.revision.project.clone();
        let mut models = Vec::new();
        let mut asked = Vec::new();
        for node in &found.record.nodes {
            let (Some(model), Some(version)) = (&node.model, &node.version) else { continue };
            if !asked.contains(&(model, version)) {
                asked.push((model, version));
                models.push(self.known().version(&project, model, &version.to_string()).await?);
            }
        }
        let start = Start::answer(prediction, &found.record, &revision);
        let (tree, reasons) = draw_above(self.known(), &project, &start).await?;
        let head = self.known().ledger_head().await?;
        Ok(Why {
            prediction: *prediction,
            record: found.record,
            stored_in: found.stored_in,
            revision,
            models,
            feedback: self.known().feedback_for(prediction).await?,
            tree,
            reasons,
            ledger_size: head.size,
            ledger_root: head.root,
        })
    }
}
