//! What another repetition would be, judged by those that were made.

use crate::{Interval, StatsError, student, sum::sum};

const CONFIDENCE: f64 = 0.95;

/// Fewest repetitions from which a spread is estimated.
pub const REPLICATES_MIN: usize = 3;

/// Returns the range in which one more repetition lies with 95 % confidence, if they are normally distributed.
///
/// Wider than the interval of the mean: it holds a single value, not the value on average.
pub fn next_replicate(values: &[f64]) -> Result<Interval, StatsError> {
    let count = values.len();
    if count < REPLICATES_MIN {
        return Err(StatsError::Replicates { count, min: REPLICATES_MIN });
    }
    let n = count as f64;
    let mean = sum(values.iter().copied()) / n;
    let squares = values.iter().map(|value| (value - mean) * (value - mean));
    let deviation = (sum(squares) / (n - 1.0)).sqrt();
    let half = student::deviate(CONFIDENCE, count as u64 - 1) * deviation * (1.0 + 1.0 / n).sqrt();
    Ok(Interval { low: mean - half, high: mean + half })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_that_of_the_textbook() {
        // mean 12, standard deviation 2, t(2) = 4.3027: 12 ± 4.3027 · 2 · √(4/3)
        let range = next_replicate(&[10.0, 12.0, 14.0]).unwrap();
        assert!((range.low - 2.063_4).abs() < 1e-3 && (range.high - 21.936_6).abs() < 1e-3, "{range:?}");
        let none = next_replicate(&[0.7; 5]).unwrap();
        assert!((none.high - none.low).abs() < 1e-12);
    }

    #[test]
    fn many_are_as_if_the_spread_were_known() {
        let values: Vec<f64> = (0..10_000).map(|at| f64::from(at % 2)).collect();
        let range = next_replicate(&values).unwrap();
        assert!((range.high - 0.5 - 1.96 * 0.5).abs() < 1e-3, "{range:?}");
    }

    #[test]
    fn too_few_say_nothing() {
        assert!(next_replicate(&[1.0, 2.0]).is_err());
    }
}
