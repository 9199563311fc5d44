//! Where the predictions of an endpoint lie that may be of a window: in sealed files, and in segments of the log.

use std::collections::{HashMap, HashSet};

use stemma_core::{
    Problem, Timestamp, endpoint::prediction::PredictionAddress, event::SegmentSealed, name::EndpointName,
};
use stemma_gateway::{HeldSegment, SegmentId};

use crate::{Delivery, problem::log_problem};

/// Everything that may hold predictions of a window, as it is at one moment.
pub struct Places {
    /// The newest last. They can be read also if they are sealed meanwhile.
    pub held: Vec<HeldSegment>,
    /// In the order in which they were sealed; none of a segment that is held.
    pub parts: Vec<SegmentSealed>,
    held_ids: HashSet<SegmentId>,
    /// First and last rows in parts.
    rows: HashMap<SegmentId, Vec<(u32, u32)>>,
}

impl Places {
    pub async fn of(
        delivery: &Delivery,
        endpoint: &EndpointName,
        (since, until): (Timestamp, Timestamp),
    ) -> Result<Self, Problem> {
        delivery.log().flush().await.map_err(log_problem)?;
        // the log first: what is sealed meanwhile is in the ledger then, too
        let mut held = delivery.log().held();
        held.reverse();
        let held_ids: HashSet<SegmentId> = held.iter().map(HeldSegment::id).collect();
        let mut parts = delivery.known().sealed_parts(endpoint).await?;
        parts.retain(|part| !held_ids.contains(&part.segment) && part.last_time >= since && part.first_time <= until);
        let mut rows: HashMap<SegmentId, Vec<(u32, u32)>> = HashMap::new();
        for part in &parts {
            rows.entry(part.segment).or_default().push((part.first_row, part.last_row));
        }
        Ok(Self { held, parts, held_ids, rows })
    }

    /// Everything in some segments.
    #[cfg(test)]
    pub fn of_segments(segments: &[SegmentId]) -> Self {
        let held_ids = segments.iter().copied().collect();
        Self { held: Vec::new(), parts: Vec::new(), held_ids, rows: HashMap::new() }
    }

    /// Whether a prediction of the endpoint may be of the window.
    pub fn may_hold(&self, address: PredictionAddress) -> bool {
        let is_within = |(first, last): &(u32, u32)| (*first..=*last).contains(&address.row);
        self.held_ids.contains(&address.segment)
            || self.rows.get(&address.segment).is_some_and(|rows| rows.iter().any(is_within))
    }

    /// Whether one of the predictions from one to another may be.
    pub fn may_hold_some(&self, first: PredictionAddress, last: PredictionAddress) -> bool {
        let mut segments = self.held_ids.iter().chain(self.rows.keys());
        segments.any(|segment| (first.segment..=last.segment).contains(segment))
    }
}
