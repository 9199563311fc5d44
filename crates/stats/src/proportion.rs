//! How sure one can be of a share that was counted.

use crate::{StatsError, normal};

/// A range that holds the true value with the stated confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    pub(crate) fn check(&self) -> Result<(), StatsError> {
        let &Self { low, high } = self;
        if low.is_finite() && high.is_finite() && low <= high {
            return Ok(());
        }
        Err(StatsError::NoInterval { low, high })
    }
}

/// Returns Wilson's score interval of one proportion, without continuity correction.
///
/// Unlike the textbook interval it stays within 0 and 1 and is honest near both ends (Wilson 1927;
/// recommended by Brown, Cai and DasGupta 2001).
pub fn wilson_interval(successes: u64, trials: u64, confidence: f64) -> Result<Interval, StatsError> {
    if trials == 0 || successes > trials {
        return Err(StatsError::Proportion { successes, trials });
    }
    check_confidence(confidence)?;

    let n = trials as f64;
    let share = successes as f64 / n;
    let z = normal::deviate(confidence);
    let shrink = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / shrink;
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt() / shrink;
    // at the two ends the formula gives the bound itself, but for a rounding
    Ok(Interval {
        low: if successes == 0 { 0.0 } else { centre - half },
        high: if successes == trials { 1.0 } else { centre + half },
    })
}

/// Returns Newcombe's interval of the difference `one - other` of two independent proportions, each as successes and
/// trials: Wilson's limits of both, put together (Newcombe 1998, method 10).
pub fn difference_interval(one: (u64, u64), other: (u64, u64), confidence: f64) -> Result<Interval, StatsError> {
    let of_one = wilson_interval(one.0, one.1, confidence)?;
    let of_other = wilson_interval(other.0, other.1, confidence)?;
    let (p, q) = (one.0 as f64 / one.1 as f64, other.0 as f64 / other.1 as f64);
    Ok(Interval {
        low: p - q - libm::hypot(p - of_one.low, of_other.high - q),
        high: p - q + libm::hypot(of_one.high - p, q - of_other.low),
    })
}

pub(crate) fn check_confidence(confidence: f64) -> Result<(), StatsError> {
    if confidence > 0.0 && confidence < 1.0 {
        return Ok(());
    }
    Err(StatsError::Confidence { confidence })
}
