//! What the ledger knows of predictions: sealed parts of their log, and feedback.

use stemma_api::types::Feedback;
use stemma_core::{
    Digest, ErrorKind, Problem,
    endpoint::prediction::{PredictionAddress, PredictionId},
    event::SegmentSealed,
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

    pub async fn feedback_for(&self, prediction: &PredictionId) -> Result<Vec<Feedback>, Problem> {
        let bodies = self.ledger().feedback(&prediction.to_string()).await.map_err(ledger_problem)?;
        let read = |body: &String| {
            serde_json::from_str(body).map_err(|e| Problem::new(ErrorKind::Corrupt, format!("stored feedback: {e}")))
        };
        bodies.iter().map(read).collect()
    }

    /// A sealed part of a project's log, for whoever may read its predictions; for others it does not exist.
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
            if parts.iter().any(|part| part.digest == digest) {
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
