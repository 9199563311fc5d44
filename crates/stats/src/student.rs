//! Student's t distribution.

use std::f64::consts::PI;

use crate::halving::where_it_falls_to;

/// The fraction below converges in 60 terms for any number of degrees of freedom.
const TERMS_MAX: u32 = 1_000;

/// Returns the probability that a variable of Student's distribution is at least as far from 0 as `t`, on either side.
///
/// It is the incomplete beta function Iₓ(a, ½) with a = `degrees` / 2 and x = degrees / (degrees + t²) (NIST, *Digital
/// Library of Mathematical Functions*, 8.17). `degrees` is 1 or more.
pub(crate) fn two_sided(t: f64, degrees: u64) -> f64 {
    let degrees = degrees as f64;
    let squared = t * t;
    let share = squared / degrees;
    let (a, x, y) = (degrees / 2.0, 1.0 / (1.0 + share), 1.0 / (1.0 + 1.0 / share));
    let lead = libm::exp(-a * libm::log1p(share)) * y.sqrt() * gamma_ratio(a) / PI.sqrt();
    // the fraction converges fast on one side only
    if squared > 3.0 { lead / fraction((a, 0.5), (x, y)) } else { 1.0 - lead / fraction((0.5, a), (y, x)) }
}

/// Returns the distance from 0 within which a variable of Student's distribution lies with probability `confidence`:
/// 2.228 for 0.95 and 10 degrees of freedom.
pub(crate) fn deviate(confidence: f64, degrees: u64) -> f64 {
    let outside = 1.0 - confidence;
    let (mut low, mut high) = (0.0, 1.0);
    // the longest tail, that of one degree, comes down to the least that `outside` can be at about 10¹⁶
    while two_sided(high, degrees) > outside {
        (low, high) = (high, 2.0 * high);
    }
    where_it_falls_to(outside, (low, high), |t| two_sided(t, degrees))
}

/// Γ(a + ½) / Γ(a).
///
/// By its asymptotic series (the difference of two of Stirling's, DLMF 5.11.1) from 20 on, and brought there by
/// Γ(a + 1) = a Γ(a) from below. A difference of two `lgamma` would lose digits as `a` grows.
fn gamma_ratio(a: f64) -> f64 {
    let (mut a, mut factor) = (a, 1.0);
    while a < 20.0 {
        factor *= a / (a + 0.5);
        a += 1.0;
    }
    let inverse = 1.0 / a;
    let squared = inverse * inverse;
    let series = 1.0 / 192.0 + squared * (-1.0 / 640.0 + squared * (17.0 / 14_336.0));
    factor * a.sqrt() * libm::exp(inverse * (-0.125 + squared * series))
}

/// The continued fraction by which xᵃ yᵇ / B(a, b) is divided to give Iₓ(a, b); `y` is 1 - x, which the caller knows
/// better than a subtraction.
///
/// Didonato and Morris, *Significant Digit Computation of the Incomplete Beta Function Ratios*, ACM TOMS 18 (1992),
/// method BFRAC; evaluated by Lentz's method (DLMF 3.10(iii)).
fn fraction((a, b): (f64, f64), (x, y): (f64, f64)) -> f64 {
    let denominator = |m: f64| {
        let first = m + (a + m) * (a * y - b * x + 1.0 + m * (2.0 - x)) / (a + 2.0 * m + 1.0);
        if m > 0.0 { first + m * (b - m) * x / (a + 2.0 * m - 1.0) } else { first }
    };
    let mut value = denominator(0.0);
    let (mut above, mut below) = (value, 0.0);
    for m in (1..TERMS_MAX).map(f64::from) {
        let step = (x / (a + 2.0 * m - 1.0)) * (x / (a + 2.0 * m - 1.0));
        let numerator = (a + m - 1.0) * (a + b + m - 1.0) * m * (b - m) * step;
        below = 1.0 / (denominator(m) + numerator * below);
        above = denominator(m) + numerator / above;
        value *= above * below;
        if (above * below - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{deviate, two_sided};
    use crate::normal;

    /// t, degrees of freedom, and mpmath 1.4's `betainc(df / 2, 1 / 2, 0, df / (df + t * t), regularized=True)` at 40
    /// digits, from which SciPy 1.17.1's `2 * t.sf(t, df)` differs by less than 2e-15.
    const TAILS: [(f64, u64, f64); 14] = [
        (1.7, 1, 0.338_506_054_660_665_3),
        (8.0, 1, 0.079_166_848_321_131_08),
        (0.3, 3, 0.783_763_292_039_919),
        (1.7, 7, 0.132_928_896_782_555_26),
        (1.75, 7, 0.123_593_028_522_288_04),
        (8.0, 7, 9.114_921_170_875_362e-5),
        (0.3, 39, 0.765_770_406_914_698_6),
        (1.7, 40, 0.096_895_457_623_574_61),
        (1.75, 40, 0.087_786_765_461_472_28),
        (8.0, 40, 7.905_084_110_104_539e-10),
        (0.3, 9_999, 0.764_183_391_852_947),
        (1.7, 1_000_000, 0.089_131_236_490_348_76),
        (1.75, 1_000_000, 0.080_118_620_416_547_88),
        (8.0, 1_000_000, 1.245_506_343_320_252e-15),
    ];

    #[test]
    fn the_tails_are_those_of_a_computation_to_40_digits() {
        for (t, degrees, expected) in TAILS {
            let found = two_sided(t, degrees);
            assert!((found / expected - 1.0).abs() < 1e-13, "{t}, {degrees}: {found:e}");
            assert_eq!(two_sided(-t, degrees), found);
        }
    }

    #[test]
    fn the_deviates_are_those_of_the_tables() {
        for (confidence, degrees, expected) in [
            (0.95, 1, 12.706_204_736),
            (0.95, 10, 2.228_138_852),
            (0.95, 30, 2.042_272_456),
            (0.99, 2, 9.924_843_201),
            (0.8, 7, 1.414_923_928),
        ] {
            let found = deviate(confidence, degrees);
            assert!((found - expected).abs() < 1e-9, "{confidence}, {degrees}: {found}");
        }
    }

    #[test]
    fn with_many_degrees_it_is_the_normal_distribution() {
        for t in [0.0, 0.3, 1.0, 1.73, 1.74, 2.5, 6.0] {
            let distance = two_sided(t, 4_000_000_000) / normal::two_sided(t) - 1.0;
            assert!(distance.abs() < 1e-6, "{t}: {distance:e}");
        }
        assert!((deviate(0.95, 4_000_000_000) - normal::deviate(0.95)).abs() < 1e-8);
    }

    #[test]
    fn one_degree_has_a_closed_form() {
        for t in [1e-9_f64, 0.1, 1.0, 1.7, 1.8, 40.0, 1e6] {
            let expected = 2.0 / std::f64::consts::PI * libm::atan(1.0 / t);
            assert!((two_sided(t, 1) / expected - 1.0).abs() < 1e-13, "{t}");
        }
    }

    #[test]
    fn the_search_ends_at_both_extremes() {
        assert!(deviate(f64::MIN_POSITIVE, 1) < 1e-15);
        assert!(deviate(1.0 - f64::EPSILON / 2.0, 1) > 1e15);
        assert_eq!((two_sided(0.0, 3), two_sided(f64::MAX.sqrt() * 2.0, 3)), (1.0, 0.0));
    }
}
