//! Feedback: the label or reward that arrives after the prediction.

use stemma_api::types::{Feedback, SendFeedback};
use stemma_core::{Problem, policy::Action, prediction::PredictionId};

use crate::{Caller, Engine};

/// Longest label or comment, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

impl Engine {
    /// Keeps feedback on a prediction of this home.
    pub async fn feedback(
        &self,
        caller: &Caller,
        prediction: &PredictionId,
        send: SendFeedback,
    ) -> Result<Feedback, Problem> {
        if send.label.is_none() && send.reward.is_none() && send.comment.is_none() {
            return Err(Problem::invalid("feedback needs a label, a reward or a comment"));
        }
        if send.reward.is_some_and(|reward| !reward.is_finite()) {
            return Err(Problem::invalid("the reward is not a finite number"));
        }
        if [&send.label, &send.comment].into_iter().flatten().any(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(Problem::invalid(format!("a label or comment is longer than {TEXT_BYTES_MAX} bytes")));
        }
        let unknown = || Problem::not_found(format!("there is no prediction `{prediction}` here"));
        let address = prediction.open(self.prediction_key()).ok_or_else(unknown)?;
        let project = self.project_of_endpoint(address.endpoint).await?.ok_or_else(unknown)?;
        caller.may(Action::Feedback, Some(&project))?;
        let feedback = Feedback {
            label: send.label,
            reward: send.reward,
            comment: send.comment,
            time: self.now(),
            from: caller.actor.principal.clone(),
        };
        self.insert_feedback(&project, prediction, &feedback).await?;
        Ok(feedback)
    }
}
