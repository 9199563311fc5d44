//! Why: from one prediction to everything that made it what it is.

use stemma_api::types::{VersionDetail, Why};
use stemma_core::{
    ErrorKind, Problem,
    name::{ModelName, ProjectName},
    policy::{Action, Stage},
    prediction::{PredictionAddress, PredictionId, PredictionRecord},
};

use crate::{Caller, Engine, lineage::Start, seal::log_problem};

/// A prediction, found.
pub(crate) struct FoundPrediction {
    pub record: PredictionRecord,
    /// Where it lies, for people.
    pub stored_in: String,
}

impl Engine {
    /// Explains a prediction.
    pub async fn why(&self, caller: &Caller, prediction: &PredictionId) -> Result<Why, Problem> {
        let found = self.find_prediction(caller, prediction).await?;
        let revision = self.revision_by_digest(&found.record).await?;
        let project = revision.revision.project.clone();
        let mut models = Vec::new();
        for (at, node) in found.record.nodes.iter().enumerate() {
            if found.record.nodes[..at]
                .iter()
                .any(|earlier| earlier.digest == node.digest && earlier.model == node.model)
            {
                continue;
            }
            models.push(self.version(&project, &node.model, &node.version.to_string()).await?);
        }
        let start = Start::answer(prediction, &found.record, &revision);
        let (tree, reasons) = self.draw_above(&project, &start).await?;
        let head = self.ledger_head().await?;
        Ok(Why {
            prediction: *prediction,
            record: found.record,
            stored_in: found.stored_in,
            revision,
            models,
            feedback: self.feedback_for(prediction).await?,
            tree,
            reasons,
            ledger_size: head.size,
            ledger_root: head.root,
        })
    }

    /// Finds a prediction by its id, in the open part of the log or in a sealed file. Whoever may not read it is told
    /// the same as if it did not exist.
    pub(crate) async fn find_prediction(
        &self,
        caller: &Caller,
        prediction: &PredictionId,
    ) -> Result<FoundPrediction, Problem> {
        let unknown = || {
            Problem::not_found(format!("there is no prediction `{prediction}` here"))
                .hint("ids hold the home they come from: is this the right one?")
        };
        let address = prediction.open(self.prediction_key()).ok_or_else(unknown)?;
        let project = self.project_of_endpoint(address.endpoint).await?;
        caller.may(Action::ReadPredictions, project.as_ref()).map_err(|_| unknown())?;
        self.recorded_prediction(address).await?.ok_or_else(|| lost(prediction))
    }

    /// Reads the record at an address. Nobody may be shown it whose right to read it was not checked.
    pub(crate) async fn recorded_prediction(
        &self,
        address: PredictionAddress,
    ) -> Result<Option<FoundPrediction>, Problem> {
        if let Some(record) = self.open_prediction(address).await? {
            return Ok(Some(FoundPrediction { record, stored_in: "the open segment of the log".to_owned() }));
        }
        let sealed = self.sealed_prediction(address).await?;
        Ok(sealed.map(|(record, part)| FoundPrediction { record, stored_in: format!("{part} (Parquet)") }))
    }

    /// The record of an address that is not sealed yet. A caller may know the id before the record is on disk.
    async fn open_prediction(&self, address: PredictionAddress) -> Result<Option<PredictionRecord>, Problem> {
        if let Some(record) = self.unsealed_prediction(address).await? {
            return Ok(Some(record));
        }
        self.log().flush().await.map_err(log_problem)?;
        self.unsealed_prediction(address).await
    }

    /// A version with its run, evidence, approvals and what it still lacks.
    pub async fn version(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
    ) -> Result<VersionDetail, Problem> {
        let version = self.find_version(project, model, version).await?;
        let policy = self.policy_or_default(project, model).await?;
        let missing = match self.promotion_grounds(project, &version, &policy, Stage::Production).await {
            Ok(_) => Vec::new(),
            Err(problem) => problem.missing,
        };
        let run = match version.run {
            None => None,
            Some(run) => Some(self.run(project, run).await?),
        };
        Ok(VersionDetail {
            run,
            evaluation: self.newest_evaluation_report(project, &version).await?,
            evidence: self.evidence(project, &version).await?,
            approvals: self.approvals(project, &version).await?,
            promotions: self.promotions(project, &version).await?,
            revisions: self.revisions_serving(project, &version).await?,
            missing_for_production: missing,
            version,
        })
    }
}

/// Only this home can have made the id, so there was a record.
pub(crate) fn lost(prediction: &PredictionId) -> Problem {
    let message =
        format!("the record of prediction `{prediction}` is lost: this home answered with its id, and has it no more");
    Problem::new(ErrorKind::Corrupt, message).hint(
        "`stemma audit verify` says what else is gone; only where the endpoint logs `fast` may a crash have taken it",
    )
}
