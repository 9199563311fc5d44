//! Segments that could not be sealed: each try decodes them whole, so they rest between two.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use stemma_gateway::SegmentId;

/// How long one rests.
const REST_MILLIS: i64 = 600_000;

/// Segments that could not be sealed, and when that was tried last.
#[derive(Debug, Default)]
pub(crate) struct Unsealable(Mutex<BTreeMap<SegmentId, i64>>);

impl Unsealable {
    pub fn is_recent(&self, segment: SegmentId, now: i64) -> bool {
        self.tried().get(&segment).is_some_and(|tried| now.saturating_sub(*tried) < REST_MILLIS)
    }

    pub fn note(&self, segment: SegmentId, now: i64) {
        self.tried().insert(segment, now);
    }

    fn tried(&self) -> MutexGuard<'_, BTreeMap<SegmentId, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
