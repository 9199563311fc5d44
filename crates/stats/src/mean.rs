//! The mean.

use crate::StatsError;
use crate::sum::sum;

/// Returns the arithmetic mean of the values.
pub fn mean(values: &[f64]) -> Result<f64, StatsError> {
    if values.is_empty() {
        return Err(StatsError::Empty);
    }
    if let Some(row) = values.iter().position(|value| !value.is_finite()) {
        return Err(StatsError::NotFinite { row, value: values[row] });
    }
    let mean = sum(values.iter().copied()) / values.len() as f64;
    // values near the largest number overflow only on the way
    if mean.is_finite() { Ok(mean) } else { Ok(values.iter().map(|value| value / values.len() as f64).sum()) }
}

#[cfg(test)]
mod tests {
    use super::mean;

    #[test]
    fn means_of_few_and_of_large_values() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]).unwrap(), 3.0);
        assert_eq!(mean(&[f64::MAX, f64::MAX]).unwrap(), f64::MAX);
        assert!(mean(&[]).is_err() && mean(&[1.0, f64::NAN]).is_err());
    }
}
