//! Predictions by their ids, in the open part of the log or in sealed files.

use stemma_core::{
    Digest, ErrorKind, Problem,
    endpoint::prediction::{PredictionAddress, PredictionId, PredictionRecord},
    name::ProjectName,
    rights::Action,
};
use stemma_engine::{Caller, problem::internal};

use crate::{
    Delivery,
    problem::{log_problem, read_problem},
    sealed::open_sealed,
};

/// A prediction, found.
pub(crate) struct FoundPrediction {
    pub record: PredictionRecord,
    /// Where it lies, for people.
    pub stored_in: String,
}

impl Delivery {
    /// The project that a prediction of this home is of. Who may read it is asked elsewhere.
    pub async fn project_of(&self, prediction: &PredictionId) -> Result<ProjectName, Problem> {
        let address = prediction.open(self.prediction_key()).ok_or_else(|| unknown(prediction))?;
        self.known().project_of_endpoint(address.endpoint).await?.ok_or_else(|| unknown(prediction))
    }
}

/// Finds a prediction by its id, in the open part of the log or in a sealed file. Whoever may not read it is told
/// the same as if it did not exist.
pub(crate) async fn find_prediction(
    delivery: &Delivery,
    caller: &Caller,
    prediction: &PredictionId,
) -> Result<FoundPrediction, Problem> {
    let address = prediction.open(delivery.prediction_key()).ok_or_else(|| unknown(prediction))?;
    let endpoint = delivery.known().endpoint_of_ordinal(address.endpoint).await?;
    let (project, endpoint) = endpoint.ok_or_else(|| unknown(prediction))?;
    caller.may_on(Action::ReadPredictions, &project, &endpoint).map_err(|_| unknown(prediction))?;
    recorded_prediction(delivery, address).await?.ok_or_else(|| lost(prediction))
}

fn unknown(prediction: &PredictionId) -> Problem {
    Problem::not_found(format!("there is no prediction `{prediction}` here"))
        .hint("ids hold the home they come from: is this the right one?")
}

/// Reads the record at an address. Nobody may be shown it whose right to read it was not checked.
pub(crate) async fn recorded_prediction(
    delivery: &Delivery,
    address: PredictionAddress,
) -> Result<Option<FoundPrediction>, Problem> {
    if let Some(record) = open_prediction(delivery, address).await? {
        return Ok(Some(FoundPrediction { record, stored_in: "the open segment of the log".to_owned() }));
    }
    let sealed = sealed_prediction(delivery, address).await?;
    Ok(sealed.map(|(record, part)| FoundPrediction { record, stored_in: format!("{part} (Parquet)") }))
}

/// The record of an address that is not sealed yet. A caller may know the id before the record is on disk.
async fn open_prediction(delivery: &Delivery, address: PredictionAddress) -> Result<Option<PredictionRecord>, Problem> {
    if let Some(record) = unsealed_prediction(delivery, address).await? {
        return Ok(Some(record));
    }
    delivery.log().flush().await.map_err(log_problem)?;
    unsealed_prediction(delivery, address).await
}

async fn unsealed_prediction(
    delivery: &Delivery,
    address: PredictionAddress,
) -> Result<Option<PredictionRecord>, Problem> {
    let log = delivery.log().clone();
    tokio::task::spawn_blocking(move || log.get(address)).await.map_err(internal)?.map_err(read_problem)
}

/// Reads one record out of a sealed file, and says which file.
async fn sealed_prediction(
    delivery: &Delivery,
    address: PredictionAddress,
) -> Result<Option<(PredictionRecord, Digest)>, Problem> {
    let Some(part) = delivery.known().sealed_part(address).await? else {
        return Ok(None);
    };
    let file = open_sealed(delivery, &part.project, part.digest).await?;
    let read = move || file.read(|chunks| stemma_gateway::read_sealed(chunks, part.first_row, address.row));
    let record = tokio::task::spawn_blocking(read).await.map_err(internal)??;
    Ok(Some((record, part.digest)))
}

/// Only this home can have made the id, so there was a record.
pub(crate) fn lost(prediction: &PredictionId) -> Problem {
    let message =
        format!("the record of prediction `{prediction}` is lost: this home answered with its id, and has it no more");
    Problem::new(ErrorKind::Corrupt, message).hint(
        "`stemma audit verify` says what else is gone; only where the endpoint logs `fast` may a crash have taken it",
    )
}
