//! Promises: content that somebody was told is here stays until they can have recorded a reference to it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use stemma_store::{Lease, Store, StoreError};

/// A caller that was told that content is here has so long to record a reference to it.
const PROMISE: Duration = Duration::from_secs(15 * 60);
/// Promises of so long a time are kept by one lease.
const PROMISES_TOGETHER: Duration = Duration::from_secs(30);

/// Leases that keep content for callers who come in several requests.
#[derive(Default)]
pub struct Promises(Mutex<Vec<(Instant, Lease)>>);

impl Promises {
    /// From now on, and for [`PROMISE`], nothing that is found present is removed.
    pub fn give(&self, store: &Store, now: Instant) -> Result<(), StoreError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(since, _)| now.duration_since(*since) < PROMISE + PROMISES_TOGETHER);
        let is_covered = held.last().is_some_and(|(since, _)| now.duration_since(*since) < PROMISES_TOGETHER);
        if !is_covered {
            held.push((now, store.lease()?));
        }
        Ok(())
    }

    pub fn forget_old(&self, now: Instant) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(since, _)| now.duration_since(*since) < PROMISE + PROMISES_TOGETHER);
    }
}
