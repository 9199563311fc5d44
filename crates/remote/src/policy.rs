//! One policy for all transfers: how long to wait, how often to try again, and how many bytes may be on their way.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How patient transfers are, and how much they do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Most attempts at one request.
    pub attempts: u32,
    /// An attempt during which nothing moves for so long is given up and made again.
    pub attempt_idle: Duration,
    /// If nothing moves for so long, whatever the number of attempts, the transfer fails.
    pub idle: Duration,
    /// Longest pause before the second attempt; doubles with each further one.
    pub first_pause: Duration,
    pub longest_pause: Duration,
    /// Bytes that all transfers together hold in memory.
    pub budget: u64,
    /// Requests under way at once.
    pub concurrency: usize,
    /// A pack this long takes no further record.
    pub pack_len: u64,
    /// Longer packs are sent in parts of this length; object stores want 5 MiB at least.
    pub part_len: usize,
}

const MEMORY_SHARE: u64 = 8;
const BUDGET_MAX: u64 = 1 << 30;
/// One whole pack of the greatest length.
const BUDGET_MIN: u64 = 64 << 20;

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: 8,
            attempt_idle: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(5),
            budget: BUDGET_MIN,
            concurrency: 8,
            pack_len: 48 << 20,
            part_len: 8 << 20,
        }
    }
}

impl Policy {
    /// Uses an eighth of a machine's memory, within bounds.
    #[must_use]
    pub fn for_memory(self, memory: u64) -> Self {
        Self { budget: (memory / MEMORY_SHARE).clamp(BUDGET_MIN, BUDGET_MAX), ..self }
    }

    /// How long to pause after an attempt that failed: anything up to a bound that doubles each time, so that many
    /// clients that failed together do not come back together.
    pub(crate) fn pause(&self, attempt: u32, random: u64) -> Duration {
        let doubled = self.first_pause.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        let bound = doubled.min(self.longest_pause);
        let half = bound / 2;
        let share = (random >> 11) as f64 / (1u64 << 53) as f64;
        half + half.mul_f64(share)
    }
}

/// Bytes that may be in memory.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    units: u32,
}

const UNIT: u64 = 1 << 10;

impl Budget {
    pub fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        Self { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Waits until there is room. What is longer than the whole budget gets it alone.
    pub async fn take(&self, bytes: u64) -> OwnedSemaphorePermit {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.units);
        let taken = Arc::clone(&self.free).acquire_many_owned(units).await;
        taken.expect("the semaphore is never closed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_differ() {
        let policy = Policy::default();
        let bounds = [200, 400, 800, 1600, 3200, 5000, 5000];
        for (attempt, bound) in (1..).zip(bounds) {
            let bound = Duration::from_millis(bound);
            assert_eq!(policy.pause(attempt, 0), bound / 2);
            let longest = policy.pause(attempt, u64::MAX);
            assert!(longest <= bound && longest > bound * 99 / 100);
        }
        assert!(policy.pause(u32::MAX, 7) <= policy.longest_pause);
    }

    #[test]
    fn the_budget_follows_the_machine_within_bounds() {
        let budget = |memory: u64| Policy::default().for_memory(memory).budget;
        assert_eq!(budget(4 << 30), 512 << 20);
        assert_eq!(budget(64 << 30), 1 << 30);
        assert_eq!(budget(0), 64 << 20);
    }

    #[tokio::test]
    async fn what_is_longer_than_the_budget_gets_it_alone() {
        let budget = Budget::new(10 << 10);
        let all = budget.take(1 << 40).await;
        assert_eq!(budget.free.available_permits(), 0);
        drop(all);
        let _some = budget.take(1).await;
        assert_eq!(budget.free.available_permits(), 9);
    }
}
