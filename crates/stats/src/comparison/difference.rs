//! A difference that was seen on some rows, and on how many more it would be decided.

use crate::proportion::check_confidence;
use crate::{Interval, PairedInterval, StatsError, normal};

/// The usual chance that a difference which is there is found.
pub const USUAL_POWER: f64 = 0.8;

/// What a row index fits in: no comparison has more rows.
const ROWS_MAX: f64 = u32::MAX as f64;

/// A difference, and the interval that holds the true one with the confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    pub value: f64,
    pub interval: Interval,
    pub confidence: f64,
    /// On which it was seen.
    pub rows: u64,
}

/// How many more rows would decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoreRows {
    /// The interval excludes 0 already.
    Decided,
    About(u64),
    /// No number of rows: the difference is 0, or so near to it that more than 2³² rows would be needed.
    None,
}

impl Difference {
    /// Returns how many more rows make the interval exclude 0 with the probability `power` (from 0.5 to below 1), if the
    /// difference and its spread are on all rows what they are on these.
    ///
    /// In all N = ((z₁ + z₂) s / d)² rows are needed: the sample size of a two-sided test of one mean, for the mean d of
    /// differences of standard deviation s (Chow, Shao, Wang and Lokhnygina, *Sample Size Calculations in Clinical
    /// Research*, 3.1.1). z₁ and z₂ are the normal deviates of the confidence (two-sided) and the power (one-sided), and
    /// s / √rows is half the width of the interval divided by z₁. So it holds of every difference whose standard error
    /// shrinks with the root of the number of rows, that of AUCs too. As the difference is itself uncertain, so is the
    /// answer: it says "about".
    pub fn more_rows(&self, power: f64) -> Result<MoreRows, StatsError> {
        self.check()?;
        if !(0.5..1.0).contains(&power) {
            return Err(StatsError::Power { power });
        }
        if self.interval.low > 0.0 || self.interval.high < 0.0 {
            return Ok(MoreRows::Decided);
        }
        let of_confidence = normal::deviate(self.confidence);
        let of_power = normal::deviate(2.0 * power - 1.0);
        let standard_error = (self.interval.high - self.interval.low) / 2.0 / of_confidence;
        let ratio = (of_confidence + of_power) * standard_error / self.value.abs();
        let total = self.rows as f64 * ratio * ratio;
        // it is none if the difference is 0
        if !total.is_finite() || total > ROWS_MAX {
            return Ok(MoreRows::None);
        }
        Ok(MoreRows::About((total.ceil() as u64).saturating_sub(self.rows).max(1)))
    }

    fn check(&self) -> Result<(), StatsError> {
        check_confidence(self.confidence)?;
        self.interval.check()?;
        if self.rows == 0 {
            return Err(StatsError::Empty);
        }
        if !self.value.is_finite() {
            return Err(StatsError::NotANumber { what: "difference", value: self.value });
        }
        Ok(())
    }
}

impl PairedInterval {
    /// Returns the difference as seen on so many rows, which the interval doesn't know.
    pub fn on_rows(&self, rows: u64) -> Difference {
        let interval = Interval { low: self.low, high: self.high };
        Difference { value: self.difference, interval, confidence: self.confidence, rows }
    }
}
