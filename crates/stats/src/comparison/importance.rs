//! How much a change matters, when it is better and slower at once.

use crate::StatsError;

const MILLISECONDS_IN_SECOND: f64 = 1000.0;

/// What an improvement and a second of latency are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImportanceWeights {
    improvement: f64,
    latency: f64,
}

impl Default for ImportanceWeights {
    /// 0.7 for the improvement and 0.3 for the latency.
    fn default() -> Self {
        Self { improvement: 0.7, latency: 0.3 }
    }
}

impl ImportanceWeights {
    /// Takes weights of 0 or more, not both 0.
    pub fn new(improvement: f64, latency: f64) -> Result<Self, StatsError> {
        for (what, value) in [("improvement", improvement), ("latency", latency)] {
            if !value.is_finite() || value < 0.0 {
                return Err(StatsError::Weight { what, value });
            }
        }
        if improvement == 0.0 && latency == 0.0 {
            return Err(StatsError::NoWeight);
        }
        Ok(Self { improvement, latency })
    }

    /// Returns the weight of the improvement times the improvement, less the weight of the latency times the seconds
    /// that an answer takes longer: 0.7 · improvement − 0.3 · Δlatency / 1000 ms.
    ///
    /// Above 0 the change is worth it. Both must have been measured: a latency that nobody looked at is not 0.
    pub fn importance(self, improvement: f64, latency_added_ms: f64) -> Result<f64, StatsError> {
        for (what, value) in [("improvement", improvement), ("added latency", latency_added_ms)] {
            if !value.is_finite() {
                return Err(StatsError::NotANumber { what, value });
            }
        }
        let importance = self.improvement * improvement - self.latency * (latency_added_ms / MILLISECONDS_IN_SECOND);
        if !importance.is_finite() {
            return Err(StatsError::NotANumber { what: "importance", value: importance });
        }
        Ok(importance)
    }
}
