//! Counters of each endpoint since the gateway started.

mod histogram;

use std::{
    collections::HashMap,
    sync::{
        Arc, RwLock,
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

    fn read(&self, endpoint: EndpointName) -> EndpointStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EndpointStats {
            endpoint,
            answered: read(&self.answered),
            failed: read(&self.failed),
            refused: read(&self.refused),
            unavailable: read(&self.unavailable),
            latency_us_sum: read(&self.latency_us_sum),
            latency: self.latency.read(),
        }
    }
}

/// The counters of all endpoints; they outlive the tables that are swapped.
#[derive(Debug, Default)]
pub(crate) struct AllCounters(RwLock<HashMap<EndpointName, Arc<Counters>>>, RwLock<HashMap<ArmKey, Arc<Counters>>>);

/// An endpoint and the key of one of its arms.
type ArmKey = (EndpointName, String);

impl AllCounters {
    /// Returns the counters of an endpoint; only the first request to it ever takes the write lock.
    pub fn of(&self, endpoint: &EndpointName) -> Arc<Counters> {
        let known = self.0.read().unwrap_or_else(|e| e.into_inner());
        if let Some(counters) = known.get(endpoint) {
            return Arc::clone(counters);
        }
        drop(known);
        let mut all = self.0.write().unwrap_or_else(|e| e.into_inner());
        Arc::clone(all.entry(endpoint.clone()).or_default())
    }

    /// Counts a request of an arm that a model answered or failed on.
    pub fn count_arm(&self, endpoint: &EndpointName, arm: &str, ending: Ending, took: Duration) {
        let key = (endpoint.clone(), arm.to_owned());
        let known = self.1.read().unwrap_or_else(|e| e.into_inner());
        if let Some(counters) = known.get(&key) {
            return counters.count(ending, took);
        }
        drop(known);
        let mut all = self.1.write().unwrap_or_else(|e| e.into_inner());
        all.entry(key).or_default().count(ending, took);
    }

    pub fn read_arm(&self, endpoint: &EndpointName, arm: &str) -> Option<ArmStats> {
        let all = self.1.read().unwrap_or_else(|e| e.into_inner());
        let stats = all.get(&(endpoint.clone(), arm.to_owned()))?.read(endpoint.clone());
        Some(ArmStats {
            answered: stats.answered,
            failed: stats.failed,
            latency_us_p50: stats.latency_us(0.5),
            latency_us_p99: stats.latency_us(0.99),
        })
    }

    pub fn read_one(&self, endpoint: &EndpointName) -> Option<EndpointStats> {
        let all = self.0.read().unwrap_or_else(|e| e.into_inner());
        let counters = all.get(endpoint)?;
        Some(counters.read(endpoint.clone()))
    }

    pub fn read(&self) -> Vec<EndpointStats> {
        let all = self.0.read().unwrap_or_else(|e| e.into_inner());
        let mut stats: Vec<_> = all.iter().map(|(endpoint, counters)| counters.read(endpoint.clone())).collect();
        stats.sort_by(|a, b| a.endpoint.cmp(&b.endpoint));
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_ending_and_latency() {
        let all = AllCounters::default();
        let name = EndpointName::new("credit-offer").unwrap();
        let counters = all.of(&name);
        for micros in [50, 60, 101, 20_000_000] {
            counters.count(Ending::Answered, Duration::from_micros(micros));
        }
        all.of(&name).count(Ending::Refused, Duration::ZERO);
        let stats = all.read().remove(0);
        assert_eq!((stats.requests(), stats.answered, stats.refused), (5, 4, 1));
        assert_eq!(stats.latency_us(0.5), Some(60));
        assert_eq!(stats.latency_us(0.75), Some(101));
        assert_eq!(stats.latency_us(1.0), Some(20_447_231));
    }

    #[test]
    fn nothing_measured_has_no_quantile() {
        let all = AllCounters::default();
        all.of(&EndpointName::new("idle").unwrap());
        assert_eq!(all.read()[0].latency_us(0.5), None);
    }
}
