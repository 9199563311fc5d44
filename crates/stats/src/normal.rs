//! The normal distribution.

use std::f64::consts::SQRT_2;

use crate::halving::where_it_falls_to;

/// Returns the probability that a standard normal variable is at least as far from 0 as `z`, on either side.
///
/// That of the χ² distribution with one degree of freedom above `z²` is the same.
pub(crate) fn two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / SQRT_2)
}

/// Returns the distance from the mean, in standard deviations, within which a normal variable lies
/// with probability `confidence`: 1.96 for 0.95.
pub(crate) fn deviate(confidence: f64) -> f64 {
    // erfc(40 / √2) is zero, so the solution lies below 40
    where_it_falls_to(1.0 - confidence, (0.0, 40.0), two_sided)
}

#[cfg(test)]
mod tests {
    use super::{deviate, two_sided};

    fn check(confidence: f64, expected: f64) {
        let found = deviate(confidence);
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
        assert!(deviate(f64::MIN_POSITIVE) < 1e-15);
        assert!((8.0..9.0).contains(&deviate(1.0 - f64::EPSILON / 2.0)));
    }

    #[test]
    fn both_sides_count() {
        assert_eq!(two_sided(0.0), 1.0);
        assert_eq!(two_sided(-1.3), two_sided(1.3));
    }
}
