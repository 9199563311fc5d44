//! What was told about predictions: in rows of old homes, in sealed files, and in the log.

use std::collections::{BTreeMap, HashMap};

use stemma_core::{
    ErrorKind, Problem,
    endpoint::{
        feedback::Feedback,
        prediction::{PredictionAddress, PredictionId},
    },
};
use stemma_engine::problem::internal;
use stemma_gateway::{PlacedFeedback, SegmentId, read_feedback};

use crate::{
    Delivery, gap,
    problem::feedback_problem,
    sealed::{SealedFile, look_into},
};

/// What was told about some predictions, in order, the newest last.
#[derive(Default)]
pub struct Known {
    pub feedback: HashMap<PredictionAddress, Vec<Feedback>>,
    /// Why there may be more.
    pub gaps: Vec<String>,
    /// Where the predictions lie about which there may be more in a file that can be brought back, and why it can't be read.
    unread: Vec<(PredictionAddress, PredictionAddress, String)>,
}

/// Feedback by the place where it was told, so in the order in which it was: rows count the feedback on an endpoint.
type Placed = BTreeMap<(u16, SegmentId, u32), PlacedFeedback>;

fn by_place(one: PlacedFeedback) -> ((u16, SegmentId, u32), PlacedFeedback) {
    ((one.prediction.endpoint, one.segment, one.row), one)
}

impl Known {
    /// What of a prediction is not known and may be known again.
    pub fn check(&self, prediction: PredictionAddress) -> Result<(), Problem> {
        let of = |(first, last, _): &&(PredictionAddress, PredictionAddress, String)| {
            first.endpoint == prediction.endpoint && (*first..=*last).contains(&prediction)
        };
        match self.unread.iter().find(of) {
            None => Ok(()),
            Some((_, _, why)) => {
                Err(Problem::new(ErrorKind::Corrupt, format!("what was told of it before can't be read: {why}"))
                    .hint("bring the content back from a backup, and tell it again"))
            }
        }
    }
}

/// Finds all that was told about predictions.
pub async fn about(delivery: &Delivery, predictions: Vec<PredictionAddress>) -> Result<Known, Problem> {
    let by_endpoint = by_endpoint(predictions);
    let mut known = Known::default();
    let id = |address: &PredictionAddress| PredictionId::seal(*address, delivery.prediction_key());
    for (prediction, feedback) in delivery.known().early_feedback(by_endpoint.values().flatten().map(id)).await? {
        if let Some(address) = prediction.open(delivery.prediction_key()) {
            known.feedback.entry(address).or_default().push(feedback);
        }
    }
    for placed in placed(delivery, by_endpoint, &mut known).await?.into_values() {
        known.feedback.entry(placed.prediction).or_default().push(placed.stored.feedback);
    }
    Ok(known)
}

/// Each once and in order, as files have them.
fn by_endpoint(mut predictions: Vec<PredictionAddress>) -> BTreeMap<u16, Vec<PredictionAddress>> {
    predictions.sort_unstable();
    predictions.dedup();
    let mut by_endpoint: BTreeMap<u16, Vec<PredictionAddress>> = BTreeMap::new();
    predictions.into_iter().for_each(|one| by_endpoint.entry(one.endpoint).or_default().push(one));
    by_endpoint
}

/// What is sealed meanwhile is met twice, and counts once.
async fn placed(
    delivery: &Delivery,
    by_endpoint: BTreeMap<u16, Vec<PredictionAddress>>,
    known: &mut Known,
) -> Result<Placed, Problem> {
    let log = delivery.feedback_log().clone();
    log.flush().await.map_err(feedback_problem)?;
    let asked: Vec<PredictionAddress> = by_endpoint.values().flatten().copied().collect();
    let open = tokio::task::spawn_blocking(move || log.about(&asked)).await.map_err(internal)?;
    known.gaps.extend(gap::in_feedback_log(delivery));
    let mut found: Placed = open.into_iter().map(by_place).collect();
    for (endpoint, asked) in by_endpoint {
        // they are there only where something is asked about
        let (Some(first), Some(last)) = (asked.first(), asked.last()) else { continue };
        for part in delivery.known().feedback_parts(endpoint).await? {
            if part.last < *first || part.first > *last {
                continue;
            }
            let asked = asked.clone();
            let look = move |file: &SealedFile, found: &mut Placed| {
                let read = file.read(|chunks| read_feedback(&chunks, &asked))?;
                found.extend(read.into_iter().map(by_place));
                Ok(())
            };
            let (grown, gap) = look_into(delivery, (&part.project, part.digest), found, look).await?;
            found = grown;
            let Some(gap) = gap else { continue };
            // what was purged is gone for good; what is lost may come back
            if gap.kind == ErrorKind::Corrupt {
                known.unread.push((part.first, part.last, gap.message.clone()));
            }
            known.gaps.push(gap.message);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_endpoint_is_asked_for_once_however_many_segments_its_predictions_lie_in() {
        let address = |segment, endpoint, row| PredictionAddress { segment, endpoint, row };
        let mixed: Vec<PredictionAddress> =
            (0..40).rev().map(|at| address(u64::from(at / 8), (at % 2) as u16, at % 4)).collect();
        let grouped = by_endpoint(mixed.clone());
        assert_eq!(grouped.keys().copied().collect::<Vec<_>>(), [0, 1]);
        for (endpoint, predictions) in &grouped {
            assert!(predictions.iter().all(|one| one.endpoint == *endpoint) && predictions.is_sorted());
        }
        let all: std::collections::BTreeSet<PredictionAddress> = mixed.into_iter().collect();
        assert_eq!(grouped.values().map(Vec::len).sum::<usize>(), all.len());
    }
}
