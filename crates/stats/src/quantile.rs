//! Quantiles by linear interpolation between order statistics: NumPy's default.

use crate::StatsError;

/// Returns the value below which the share `quantile` of the values lies.
pub fn quantile(values: &[f64], quantile: f64) -> Result<f64, StatsError> {
    Ok(quantiles(values, &[quantile])?[0])
}

/// The same for several shares, in their order.
pub fn quantiles(values: &[f64], shares: &[f64]) -> Result<Vec<f64>, StatsError> {
    if values.is_empty() {
        return Err(StatsError::Empty);
    }
    if let Some(row) = values.iter().position(|value| !value.is_finite()) {
        let value = values[row];
        return Err(StatsError::NotFinite { row, value });
    }
    if let Some(quantile) = shares.iter().find(|share| !(0.0..=1.0).contains(*share)) {
        return Err(StatsError::Quantile { quantile: *quantile });
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Ok(shares.iter().map(|share| quantile_of_sorted(&sorted, *share)).collect())
}

/// The same for values that are known to be sorted, finite and at least one.
pub(crate) fn quantile_of_sorted(sorted: &[f64], quantile: f64) -> f64 {
    let last = sorted.len() - 1;
    let position = quantile * last as f64;
    let below = (position.floor() as usize).min(last);
    let above = (below + 1).min(last);
    interpolate(sorted[below], sorted[above], position - below as f64)
}

/// Takes the nearer end as the start, so that both ends are met exactly.
fn interpolate(low: f64, high: f64, share: f64) -> f64 {
    if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) }
}
