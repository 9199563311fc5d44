//! What the ledger knows of predictions: sealed parts of their log, and feedback.

use stemma_core::{
    Digest, ErrorKind, Problem,
    endpoint::{
        feedback::Feedback,
        prediction::{PredictionAddress, PredictionId},
    },
    event::{FeedbackSealed, SegmentSealed},
    name::{EndpointName, ProjectName},
    rights::Action,
};

use super::{content::Content, sources::Known};
use crate::{access::Caller, problem::ledger_problem};

impl Known {
    pub async fn sealed_part(&self, address: PredictionAddress) -> Result<Option<SegmentSealed>, Problem> {
        self.facts().log_part(address).await.map_err(ledger_problem)
    }

    pub async fn sealed_parts(&self, endpoint: &EndpointName) -> Result<Vec<SegmentSealed>, Problem> {
        self.facts().log_parts(endpoint).await.map_err(ledger_problem)
    }

    /// Sealed parts of some endpoints, those of the newest segments first, from behind one on.
    pub async fn sealed_parts_before(
        &self,
        ordinals: &[u16],
        behind: PredictionAddress,
        limit: usize,
    ) -> Result<Vec<SegmentSealed>, Problem> {
        self.facts().log_parts_before(ordinals, behind, limit).await.map_err(ledger_problem)
    }

    /// Sealed feedback on the predictions of an endpoint, in the order in which it was sealed.
    pub async fn feedback_parts(&self, ordinal: u16) -> Result<Vec<FeedbackSealed>, Problem> {
        self.facts().feedback_parts(ordinal).await.map_err(ledger_problem)
    }

    pub async fn is_feedback_sealed(&self, segment: u64) -> Result<bool, Problem> {
        self.facts().is_feedback_sealed(segment).await.map_err(ledger_problem)
    }

    /// How much of an open segment of feedback was noted.
    pub async fn noted_feedback(&self, segment: u64) -> Result<u64, Problem> {
        self.facts().noted_feedback(segment).await.map_err(ledger_problem)
    }

    /// Feedback from before there was a feedback log, each with its prediction, in the order in which it was told.
    pub async fn early_feedback(
        &self,
        predictions: impl Iterator<Item = PredictionId> + Send,
    ) -> Result<Vec<(PredictionId, Feedback)>, Problem> {
        if !self.ledger().has_feedback_rows().await.map_err(ledger_problem)? {
            return Ok(Vec::new());
        }
        let asked: Vec<String> = predictions.map(|prediction| prediction.to_string()).collect();
        let rows = self.ledger().feedback_rows(&asked).await.map_err(ledger_problem)?;
        rows.iter().map(|(prediction, body)| early(prediction, body)).collect()
    }

    /// All such feedback of a project behind a place, a page at a time, each with its place.
    pub async fn page_of_early_feedback(
        &self,
        project: &ProjectName,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, PredictionId, Feedback)>, Problem> {
        let rows = self.ledger().page_of_feedback_rows(project.as_str(), after, limit).await.map_err(ledger_problem)?;
        rows.iter().map(|(place, id, body)| early(id, body).map(|(id, feedback)| (*place, id, feedback))).collect()
    }

    /// A sealed part of a project's logs, for whoever may read its predictions; for others it does not exist.
    pub async fn sealed_content(
        &self,
        caller: &Caller,
        project: &ProjectName,
        digest: Digest,
    ) -> Result<Option<Content>, Problem> {
        if caller.may(Action::ReadPredictions, Some(project)).is_err() {
            return Ok(None);
        }
        for endpoint in self.facts().endpoints(project).await.map_err(ledger_problem)? {
            let parts = self.sealed_parts(&endpoint.value.endpoint).await?;
            let feedback = self.feedback_parts(endpoint.value.ordinal).await?;
            let mut digests = parts.iter().map(|part| part.digest).chain(feedback.iter().map(|part| part.digest));
            if digests.any(|part| part == digest) {
                return self.store_info(digest).await;
            }
        }
        Ok(None)
    }

    /// How many records of an open segment were noted.
    pub async fn noted_records(&self, segment: u64) -> Result<u64, Problem> {
        self.facts().noted_records(segment).await.map_err(ledger_problem)
    }
}

fn early(prediction: &str, body: &str) -> Result<(PredictionId, Feedback), Problem> {
    let damaged = |error: String| Problem::new(ErrorKind::Corrupt, format!("stored feedback: {error}"));
    let feedback = serde_json::from_str(body).map_err(|error| damaged(error.to_string()))?;
    Ok((prediction.parse().map_err(|error| damaged(format!("{error}")))?, feedback))
}
