//! How far two samples of the same thing are apart.

use std::f64::consts::PI;

use crate::StatsError;
use crate::sum::sum;

/// What the share of an empty bin counts as: without it one new category would be infinitely far away.
const SHARE_MIN: f64 = 1e-4;

/// The two-sample Kolmogorov–Smirnov test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KolmogorovSmirnov {
    /// The largest distance between the two empirical distribution functions.
    pub statistic: f64,
    /// How often two samples of one distribution are at least this far apart, by Kolmogorov's limiting distribution.
    pub p_value: f64,
}

/// Returns the population stability index of counts over the same bins: Σ (p − q) ln(p / q) of the shares.
///
/// An empty bin counts as a share of 0.0001.
pub fn population_stability_index(reference: &[u64], sample: &[u64]) -> Result<f64, StatsError> {
    if reference.len() != sample.len() {
        return Err(StatsError::LengthMismatch { what: "counts", expected: reference.len(), found: sample.len() });
    }
    let (before, after) = (shares(reference)?, shares(sample)?);
    Ok(sum(before.zip(after).map(|(p, q)| (p - q) * libm::log(p / q))))
}

fn shares(counts: &[u64]) -> Result<impl Iterator<Item = f64>, StatsError> {
    let total = counts.iter().fold(0u64, |total, count| total.saturating_add(*count));
    if total == 0 {
        return Err(StatsError::Empty);
    }
    Ok(counts.iter().map(move |count| (*count as f64 / total as f64).max(SHARE_MIN)))
}

/// Returns how far the distributions of two samples are apart, and how probable that is by chance.
pub fn kolmogorov_smirnov(reference: &[f64], sample: &[f64]) -> Result<KolmogorovSmirnov, StatsError> {
    let (one, other) = (sorted(reference)?, sorted(sample)?);
    let (n, m) = (one.len() as f64, other.len() as f64);
    let (mut i, mut j, mut statistic) = (0, 0, 0.0f64);
    while i < one.len() && j < other.len() {
        // both functions step at a value that both samples have, so ties are passed together
        let value = one[i].min(other[j]);
        i += one[i..].iter().take_while(|x| **x == value).count();
        j += other[j..].iter().take_while(|x| **x == value).count();
        statistic = statistic.max((i as f64 / n - j as f64 / m).abs());
    }
    let effective = n * m / (n + m);
    Ok(KolmogorovSmirnov { statistic, p_value: kolmogorov_survival(effective.sqrt() * statistic) })
}

fn sorted(values: &[f64]) -> Result<Vec<f64>, StatsError> {
    if values.is_empty() {
        return Err(StatsError::Empty);
    }
    if let Some(row) = values.iter().position(|value| !value.is_finite()) {
        return Err(StatsError::NotFinite { row, value: values[row] });
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Ok(sorted)
}

/// The probability that Kolmogorov's distribution exceeds `x`; each series where it converges in a few terms.
fn kolmogorov_survival(x: f64) -> f64 {
    // below this nothing of the distribution is left in double precision
    if x < 0.04 {
        return 1.0;
    }
    let squared = x * x;
    if x < 0.82 {
        let terms = (1..=4).map(|k| {
            let odd = f64::from(2 * k - 1);
            libm::exp(-odd * odd * PI * PI / (8.0 * squared))
        });
        return 1.0 - (2.0 * PI).sqrt() / x * sum(terms);
    }
    let terms = (1..=5).map(|k| {
        let (k, sign) = (f64::from(k), if k % 2 == 1 { 1.0 } else { -1.0 });
        sign * libm::exp(-2.0 * k * k * squared)
    });
    (2.0 * sum(terms)).clamp(0.0, 1.0)
}
