//! What another repetition would be, judged by those that were made.

use crate::{Interval, StatsError, sum::sum};

/// Fewest repetitions from which a spread is estimated.
pub const REPLICATES_MIN: usize = 3;
/// Most repetitions for which the distribution's quantile is known here.
pub const REPLICATES_MAX: usize = 31;

/// 97.5 % quantiles of Student's t distribution for 1 to 30 degrees of freedom.
const T_975: [f64; 30] = [
    12.706_204_736,
    4.302_652_730,
    3.182_446_305,
    2.776_445_105,
    2.570_581_836,
    2.446_911_851,
    2.364_624_252,
    2.306_004_135,
    2.262_157_163,
    2.228_138_852,
    2.200_985_160,
    2.178_812_830,
    2.160_368_656,
    2.144_786_688,
    2.131_449_546,
    2.119_905_299,
    2.109_815_578,
    2.100_922_040,
    2.093_024_054,
    2.085_963_447,
    2.079_613_845,
    2.073_873_068,
    2.068_657_610,
    2.063_898_562,
    2.059_538_553,
    2.055_529_439,
    2.051_830_516,
    2.048_407_142,
    2.045_229_642,
    2.042_272_456,
];

/// Returns the range in which one more repetition lies with 95 % confidence, if they are normally distributed.
///
/// Wider than the interval of the mean: it holds a single value, not the value on average.
pub fn next_replicate(values: &[f64]) -> Result<Interval, StatsError> {
    let count = values.len();
    if !(REPLICATES_MIN..=REPLICATES_MAX).contains(&count) {
        return Err(StatsError::Replicates { count, min: REPLICATES_MIN, max: REPLICATES_MAX });
    }
    let n = count as f64;
    let mean = sum(values.iter().copied()) / n;
    let squares = values.iter().map(|value| (value - mean) * (value - mean));
    let deviation = (sum(squares) / (n - 1.0)).sqrt();
    let half = T_975[count - 2] * deviation * (1.0 + 1.0 / n).sqrt();
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
    fn too_few_say_nothing() {
        assert!(next_replicate(&[1.0, 2.0]).is_err());
        assert!(next_replicate(&[1.0; 32]).is_err());
    }
}
