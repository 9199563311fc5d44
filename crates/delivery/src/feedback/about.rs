//! What was told about predictions: in rows of old homes, in sealed files, and in the log.

use std::collections::{BTreeMap, HashMap};

use stemma_core::{
    Problem,
    endpoint::{
        feedback::Feedback,
        prediction::{PredictionAddress, PredictionId},
    },
};
use stemma_engine::problem::internal;
use stemma_gateway::{PlacedFeedback, SegmentId, read_feedback};

use crate::{
    Delivery,
    problem::{feedback_problem, read_problem},
    sealed::sealed_file,
};

/// What was told about some predictions, in order, the newest last.
#[derive(Default)]
pub struct Known {
    pub feedback: HashMap<PredictionAddress, Vec<Feedback>>,
    /// Why there may be more.
    pub gaps: Vec<String>,
}

/// Finds all that was told about predictions.
pub async fn about(delivery: &Delivery, mut predictions: Vec<PredictionAddress>) -> Result<Known, Problem> {
    predictions.sort_unstable();
    predictions.dedup();
    let mut known = Known::default();
    let id = |address: &PredictionAddress| PredictionId::seal(*address, delivery.prediction_key());
    for (prediction, feedback) in delivery.known().early_feedback(predictions.iter().map(id)).await? {
        if let Some(address) = prediction.open(delivery.prediction_key()) {
            known.feedback.entry(address).or_default().push(feedback);
        }
    }
    for placed in placed(delivery, predictions, &mut known.gaps).await?.into_values() {
        known.feedback.entry(placed.prediction).or_default().push(placed.stored.feedback);
    }
    Ok(known)
}

/// By segment and row, so in the order in which it was told. What is sealed meanwhile is met twice, and counts once.
async fn placed(
    delivery: &Delivery,
    predictions: Vec<PredictionAddress>,
    gaps: &mut Vec<String>,
) -> Result<BTreeMap<(SegmentId, u32), PlacedFeedback>, Problem> {
    let log = delivery.feedback_log().clone();
    log.flush().await.map_err(feedback_problem)?;
    let asked = predictions.clone();
    let open = tokio::task::spawn_blocking(move || Ok((log.about(&asked)?, log.unread())));
    let (open, unread) = open.await.map_err(internal)?.map_err(read_problem)?;
    gaps.extend(unread.into_iter().map(|unread| {
        format!("segment {:016x} of the feedback log can't be read whole: {}", unread.segment, unread.what)
    }));
    let mut found: BTreeMap<_, _> = open.into_iter().map(|one| ((one.segment, one.row), one)).collect();
    for of_endpoint in predictions.chunk_by(|one, next| one.endpoint == next.endpoint) {
        // they are there only where something is asked about
        let (Some(first), Some(last)) = (of_endpoint.first(), of_endpoint.last()) else { continue };
        for part in delivery.known().feedback_parts(first.endpoint).await? {
            if part.last < *first || part.first > *last {
                continue;
            }
            let Some(file) = sealed_file(delivery, &part.project, part.digest, gaps).await? else { continue };
            let asked = of_endpoint.to_vec();
            let read = tokio::task::spawn_blocking(move || file.read(|chunks| read_feedback(&chunks, &asked)));
            found.extend(read.await.map_err(internal)??.into_iter().map(|one| ((one.segment, one.row), one)));
        }
    }
    Ok(found)
}
