//! ΔP: how much less rows cost than before, and how sure that is.

use crate::bootstrap::interval_of_mean;
use crate::comparison::{Difference, PairedLosses, PairedT};
use crate::{Interval, Resampling, StatsError, mean};

/// ΔP = mean(loss_old − loss_new) on the same rows: positive is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PerformanceDelta {
    pub loss_old: f64,
    pub loss_new: f64,
    pub improvement: f64,
    /// By the paired percentile bootstrap, see [`crate::paired_bootstrap`].
    pub interval: Interval,
    /// By Student's distribution, to the same confidence; nothing if all rows improved alike, or there is one row only.
    pub interval_of_t: Option<Interval>,
    /// See [`PairedLosses::residual_change`].
    pub residual_change: Option<f64>,
    pub rows: u64,
    pub confidence: f64,
    pub resamples: u32,
}

impl PerformanceDelta {
    pub fn of(losses: &PairedLosses, resampling: &Resampling) -> Result<Self, StatsError> {
        let improvements = losses.improvements();
        let t = if losses.rows() > 1 { PairedT::of(&improvements)? } else { None };
        Ok(Self {
            loss_old: mean(losses.losses_old())?,
            loss_new: mean(losses.losses_new())?,
            improvement: mean(&improvements)?,
            interval: interval_of_mean(improvements, resampling)?,
            interval_of_t: t.map(|t| t.interval(resampling.confidence)).transpose()?,
            residual_change: losses.residual_change(),
            rows: losses.rows() as u64,
            confidence: resampling.confidence,
            resamples: resampling.resamples,
        })
    }

    /// Returns the improvement with the interval of the bootstrap.
    pub fn difference(&self) -> Difference {
        Difference { value: self.improvement, interval: self.interval, confidence: self.confidence, rows: self.rows }
    }
}
