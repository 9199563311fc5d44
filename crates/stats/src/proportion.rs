//! How sure one can be of a share that was counted.

use std::f64::consts::SQRT_2;

use crate::StatsError;

/// A range that holds the true value with the stated confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
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
    let z = normal_deviate(confidence);
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

/// Returns the distance from the mean, in standard deviations, within which a normal variable lies
/// with probability `confidence`: 1.96 for 0.95.
///
/// Solves `erfc(z / √2) = 1 - confidence` by halving until two neighbouring numbers are left.
fn normal_deviate(confidence: f64) -> f64 {
    let outside = 1.0 - confidence;
    // erfc(40 / √2) is zero, so the solution lies below 40
    let (mut low, mut high) = (0.0, 40.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if libm::erfc(middle / SQRT_2) > outside {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::normal_deviate;

    fn check(confidence: f64, expected: f64) {
        let found = normal_deviate(confidence);
        assert!((found - expected).abs() < 1e-14, "{confidence}: {found}");
    }

    #[test]
    fn the_deviates_of_the_usual_confidences_are_those_of_the_tables() {
        check(0.5, 0.674_489_750_196_081_7);
        check(0.9, 1.644_853_626_951_472_2);
        check(0.95, 1.959_963_984_540_054);
        check(0.99, 2.575_829_303_548_901);
    }

    #[test]
    fn the_search_ends_at_both_extremes() {
        assert!(normal_deviate(f64::MIN_POSITIVE) < 1e-15);
        assert!((8.0..9.0).contains(&normal_deviate(1.0 - f64::EPSILON / 2.0)));
    }
}
