//! The label that holds of each prediction: the newest that was told, wherever it lies.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use stemma_api::types::Feedback;
use stemma_core::{Problem, endpoint::prediction::PredictionAddress, name::ProjectName};
use stemma_engine::problem::internal;
use stemma_gateway::{FeedbackRows, PlacedFeedback, SegmentId};

use super::places::Places;
use crate::{
    Delivery, gap,
    problem::feedback_problem,
    sealed::{SealedFile, look_into},
};

/// Most labels that are held at once, and bytes of them.
const LABELS_MAX: usize = 2_000_000;
const BYTES_MAX: usize = 256 << 20;
/// Rows of old homes that are read at a time.
const EARLY_ROWS: usize = 10_000;
/// Where these count as told: before everything in the log.
const EARLY: Told = (0, 0);

/// The segment and row in which something was told.
type Told = (SegmentId, u32);

/// Labels of predictions that may be of a window.
pub struct Labels {
    places: Arc<Places>,
    newest: HashMap<PredictionAddress, (Told, String)>,
    bytes: usize,
}

impl Labels {
    pub fn new(places: Arc<Places>) -> Self {
        Self { places, newest: HashMap::new(), bytes: 0 }
    }

    pub fn get(&self, prediction: PredictionAddress) -> Option<&str> {
        self.newest.get(&prediction).map(|(_, label)| label.as_str())
    }

    /// Takes a label if it is newer than what is known.
    fn take(&mut self, prediction: PredictionAddress, told: Told, feedback: Feedback) -> Result<(), Problem> {
        let Some(label) = feedback.label.filter(|_| self.places.may_hold(prediction)) else { return Ok(()) };
        let bytes = label.len();
        match self.newest.entry(prediction) {
            Entry::Occupied(known) if known.get().0 > told => return Ok(()),
            Entry::Occupied(mut known) => {
                let (_, older) = known.insert((told, label));
                self.bytes -= older.len();
            }
            Entry::Vacant(unknown) => drop(unknown.insert((told, label))),
        }
        self.bytes += bytes;
        match self.newest.len() > LABELS_MAX || self.bytes > BYTES_MAX {
            true => Err(Problem::invalid(format!(
                "more than {LABELS_MAX} predictions that may be of the window have labels, or these are longer than \
                 {BYTES_MAX} bytes"
            ))
            .hint("take a shorter window with `--since` and `--until`")),
            false => Ok(()),
        }
    }

    fn take_placed(&mut self, placed: PlacedFeedback) -> Result<(), Problem> {
        self.take(placed.prediction, (placed.segment, placed.row), placed.stored.feedback)
    }

    fn take_file(&mut self, file: &SealedFile) -> Result<(), Problem> {
        for batch in file.read(|chunks| FeedbackRows::open(&chunks))? {
            file.read(|_| batch)?.into_iter().try_for_each(|placed| self.take_placed(placed))?;
        }
        Ok(())
    }
}

/// Finds the newest label of each prediction of an endpoint that may be of a window.
pub async fn newest_labels(
    delivery: &Delivery,
    project: &ProjectName,
    ordinal: u16,
    places: Arc<Places>,
    gaps: &mut Vec<String>,
) -> Result<Labels, Problem> {
    let mut labels = Labels::new(places);
    let mut after = 0;
    loop {
        let page = delivery.known().page_of_early_feedback(project, after, EARLY_ROWS).await?;
        let Some((last, _, _)) = page.last() else { break };
        after = *last;
        for (_, prediction, feedback) in page {
            let address = prediction.open(delivery.prediction_key()).filter(|address| address.endpoint == ordinal);
            if let Some(address) = address {
                labels.take(address, EARLY, feedback)?;
            }
        }
    }
    // the log before the files: what is sealed meanwhile is met twice
    let log = delivery.feedback_log().clone();
    log.flush().await.map_err(feedback_problem)?;
    let open = tokio::task::spawn_blocking(move || log.of_endpoint(ordinal)).await.map_err(internal)?;
    gaps.extend(gap::in_feedback_log(delivery));
    open.into_iter().try_for_each(|placed| labels.take_placed(placed))?;
    for part in delivery.known().feedback_parts(ordinal).await? {
        if !labels.places.may_hold_some(part.first, part.last) {
            continue;
        }
        let look = |file: &SealedFile, labels: &mut Labels| labels.take_file(file);
        let (grown, gap) = look_into(delivery, (&part.project, part.digest), labels, look).await?;
        labels = grown;
        gaps.extend(gap.map(|gap| gap.message));
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use stemma_core::Timestamp;

    use super::*;

    #[test]
    fn the_newest_label_holds_in_whichever_order_they_are_met() {
        let prediction = PredictionAddress { segment: 7, endpoint: 3, row: 0 };
        let told = |label: &str| Feedback {
            label: Some(label.to_owned()),
            reward: None,
            event: None,
            comment: None,
            correction: None,
            key: None,
            found: None,
            time: Timestamp(0),
            from: "bob@example.org".parse().unwrap(),
        };
        let mut labels = Labels::new(Arc::new(Places::of_segments(&[7])));
        for (place, label, holds) in [
            (EARLY, "early", "early"),
            ((9, 1), "corrected", "corrected"),
            // of a damaged segment, which is never sealed and so met last
            ((9, 0), "wrong", "corrected"),
            ((8, 5), "older", "corrected"),
            ((9, 2), "again", "again"),
        ] {
            labels.take(prediction, place, told(label)).unwrap();
            assert_eq!(labels.get(prediction), Some(holds));
            assert_eq!((labels.newest.len(), labels.bytes), (1, holds.len()));
        }
        let outside = PredictionAddress { segment: 6, ..prediction };
        labels.take(outside, (9, 9), told("outside")).unwrap();
        assert_eq!(labels.get(outside), None);
    }
}
