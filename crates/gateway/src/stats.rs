//! Counters of each endpoint since the gateway started.

mod histogram;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use stemma_core::name::EndpointName;

pub use self::histogram::Counts;
use self::histogram::Histogram;

/// The counters of one arm of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmStats {
    pub answered: u64,
    pub failed: u64,
    pub latency_us_p50: Option<u64>,
    pub latency_us_p99: Option<u64>,
}

/// How a request to an endpoint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Answered,
    /// The model failed.
    Failed,
    /// The request was wrong.
    Refused,
    /// Too much at once, or the prediction log could not be written.
    Unavailable,
}

/// The counters of an endpoint or of an arm.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    answered: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    unavailable: AtomicU64,
    latency_us_sum: AtomicU64,
    latency: Histogram,
}

/// The counters of one endpoint, read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointStats {
    pub endpoint: EndpointName,
    pub answered: u64,
    pub failed: u64,
    pub refused: u64,
    pub unavailable: u64,
    /// Over answered and failed requests, from the request's arrival to its answer.
    pub latency_us_sum: u64,
    /// Of the same requests.
    pub latency: Counts,
}

impl EndpointStats {
    pub fn requests(&self) -> u64 {
        self.answered + self.failed + self.refused + self.unavailable
    }

    /// Requests that failed through no fault of their sender.
    pub fn errors(&self) -> u64 {
        self.failed + self.unavailable
    }

    /// A quantile of the latencies, if anything was measured: never too low, and at most 1/32 too high.
    pub fn latency_us(&self, quantile: f64) -> Option<u64> {
        self.latency.quantile(quantile)
    }
}

impl Counters {
    pub fn count(&self, ending: Ending, took: Duration) {
        let counter = match ending {
            Ending::Answered => &self.answered,
            Ending::Failed => &self.failed,
            Ending::Refused => &self.refused,
            Ending::Unavailable => &self.unavailable,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if matches!(ending, Ending::Answered | Ending::Failed) {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.latency.add(micros);
            self.latency_us_sum.fetch_add(micros, Ordering::Relaxed);
        }
    }

    /// `None` if nothing was counted.
    fn read(&self, endpoint: EndpointName) -> Option<EndpointStats> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let stats = EndpointStats {
            endpoint,
            answered: read(&self.answered),
            failed: read(&self.failed),
            refused: read(&self.refused),
            unavailable: read(&self.unavailable),
            latency_us_sum: read(&self.latency_us_sum),
            latency: self.latency.read(),
        };
        (stats.requests() > 0).then_some(stats)
    }
}

/// The counters of everything that was ever loaded; they outlive the tables that are swapped.
///
/// What is loaded holds its own, so that a request looks nothing up here.
#[derive(Debug, Default)]
pub struct AllCounters {
    endpoints: Mutex<HashMap<EndpointName, Arc<Counters>>>,
    arms: Mutex<HashMap<ArmKey, Arc<Counters>>>,
}

/// An endpoint and the key of one of its arms.
type ArmKey = (EndpointName, String);

impl AllCounters {
    /// Returns the counters of an endpoint, the same whenever it is loaded.
    pub(crate) fn of_endpoint(&self, endpoint: &EndpointName) -> Arc<Counters> {
        Arc::clone(lock(&self.endpoints).entry(endpoint.clone()).or_default())
    }

    /// Returns the counters of an arm, the same for each revision that has it.
    pub(crate) fn of_arm(&self, endpoint: &EndpointName, arm: &str) -> Arc<Counters> {
        Arc::clone(lock(&self.arms).entry((endpoint.clone(), arm.to_owned())).or_default())
    }

    /// What was counted of an arm, if it was asked.
    pub fn read_arm(&self, endpoint: &EndpointName, arm: &str) -> Option<ArmStats> {
        let stats = lock(&self.arms).get(&(endpoint.clone(), arm.to_owned()))?.read(endpoint.clone())?;
        Some(ArmStats {
            answered: stats.answered,
            failed: stats.failed,
            latency_us_p50: stats.latency_us(0.5),
            latency_us_p99: stats.latency_us(0.99),
        })
    }

    /// What was counted of an endpoint, if it was asked.
    pub fn read_one(&self, endpoint: &EndpointName) -> Option<EndpointStats> {
        lock(&self.endpoints).get(endpoint)?.read(endpoint.clone())
    }

    /// What was counted of each endpoint that was asked, by name.
    pub fn read(&self) -> Vec<EndpointStats> {
        let all = lock(&self.endpoints);
        let mut stats: Vec<_> = all.iter().filter_map(|(endpoint, counters)| counters.read(endpoint.clone())).collect();
        stats.sort_by(|a, b| a.endpoint.cmp(&b.endpoint));
        stats
    }
}

fn lock<T>(counters: &Mutex<T>) -> MutexGuard<'_, T> {
    counters.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_ending_and_latency_however_often_an_endpoint_is_loaded() {
        let all = AllCounters::default();
        let name = EndpointName::new("credit-offer").unwrap();
        let counters = all.of_endpoint(&name);
        for micros in [50, 60, 101, 20_000_000] {
            counters.count(Ending::Answered, Duration::from_micros(micros));
        }
        all.of_endpoint(&name).count(Ending::Refused, Duration::ZERO);
        let stats = all.read().remove(0);
        assert_eq!((stats.requests(), stats.answered, stats.refused), (5, 4, 1));
        assert_eq!(stats.latency_us(0.5), Some(60));
        assert_eq!(stats.latency_us(0.75), Some(101));
        assert_eq!(stats.latency_us(1.0), Some(20_447_231));
    }

    #[test]
    fn arms_of_the_same_key_count_together_and_others_apart() {
        let all = AllCounters::default();
        let name = EndpointName::new("credit-offer").unwrap();
        for (arm, ending) in [("a", Ending::Answered), ("a", Ending::Failed), ("b", Ending::Failed)] {
            all.of_arm(&name, arm).count(ending, Duration::ZERO);
        }
        let counted = |arm| all.read_arm(&name, arm).map(|stats| (stats.answered, stats.failed));
        assert_eq!((counted("a"), counted("b")), (Some((1, 1)), Some((0, 1))));
    }

    #[test]
    fn what_was_loaded_and_never_asked_has_no_counts_and_what_only_refused_has_no_quantile() {
        let all = AllCounters::default();
        let name = EndpointName::new("idle").unwrap();
        let counters = all.of_endpoint(&name);
        all.of_arm(&name, "a");
        assert_eq!((all.read(), all.read_one(&name), all.read_arm(&name, "a")), (Vec::new(), None, None));
        counters.count(Ending::Refused, Duration::ZERO);
        assert_eq!(all.read()[0].latency_us(0.5), None);
    }
}
