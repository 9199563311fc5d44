//! Durations by size, so that quantiles of any number of them can be told from fixed memory.
//!
//! The buckets are log-linear: whole microseconds up to 64 µs, from there on 32 equal steps for each doubling. What a
//! quantile says is the top of its bucket: never less than was measured, and at most 1/32 (3.2 %) more.

use std::sync::atomic::{AtomicU64, Ordering};

/// Steps for each doubling, and their number as a power of two.
const STEPS: u64 = 1 << STEPS_LOG2;
const STEPS_LOG2: u32 = 5;
/// What is longer, about 19 hours, counts as this long.
const US_MAX: u64 = (1 << 36) - 1;

/// Counts that many threads add to without a lock.
#[derive(Debug)]
pub struct Histogram(Box<[AtomicU64]>);

impl Default for Histogram {
    fn default() -> Self {
        Self((0..=bucket_of(US_MAX)).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Histogram {
    pub fn add(&self, us: u64) {
        self.0[bucket_of(us)].fetch_add(1, Ordering::Relaxed);
    }

    pub fn read(&self) -> Counts {
        Counts(self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect())
    }
}

/// A histogram, read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts(Vec<u64>);

impl Counts {
    /// The top of the bucket with the quantile in microseconds, if anything was measured.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let total: u64 = self.0.iter().sum();
        let rank = (quantile * total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let holds_it = self.0.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        holds_it.map(top_of)
    }
}

fn bucket_of(us: u64) -> usize {
    let us = us.min(US_MAX);
    let doublings = us.max(1).ilog2().saturating_sub(STEPS_LOG2);
    (u64::from(doublings) * STEPS + (us >> doublings)) as usize
}

/// The longest duration of a bucket.
fn top_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket / STEPS).saturating_sub(1);
    ((bucket - doublings * STEPS + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        let mut next = 0;
        for bucket in 0..=bucket_of(US_MAX) {
            let top = top_of(bucket);
            assert_eq!((bucket_of(next), bucket_of(top)), (bucket, bucket), "{bucket}");
            next = top + 1;
        }
        assert_eq!(next, US_MAX + 1);
        assert_eq!(bucket_of(u64::MAX), bucket_of(US_MAX));
    }

    #[test]
    fn nothing_measured_has_no_quantile() {
        assert_eq!(Histogram::default().read().quantile(0.5), None);
    }

    proptest! {
        #[test]
        fn a_quantile_is_never_too_low_and_at_most_a_thirtieth_too_high(
            mut durations in prop::collection::vec(0u64..100_000_000, 1..200),
            quantile in 0.0f64..=1.0,
        ) {
            let histogram = Histogram::default();
            durations.iter().for_each(|us| histogram.add(*us));
            durations.sort_unstable();
            let rank = ((quantile * durations.len() as f64).ceil() as usize).max(1);
            let exact = durations[rank - 1];
            let told = histogram.read().quantile(quantile).unwrap();
            prop_assert!(exact <= told && told as f64 <= exact as f64 * (1.0 + 1.0 / 32.0), "{} for {}", told, exact);
        }
    }
}
