//! How far predicted numbers are from the true ones; the definitions are scikit-learn's.

use crate::StatsError;
use crate::rows::{check_length, check_rows};
use crate::sum::sum;

/// All metrics of one list of predicted numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegressionMetrics {
    pub rows: u64,
    /// The root of the mean squared error, in the unit of the target.
    pub rmse: f64,
    /// The mean absolute error, in the unit of the target.
    pub mae: f64,
    /// The share of the target's variance that is explained; nothing if the target never varies
    /// (scikit-learn answers 0 or 1 there, and warns when there is only one row).
    pub r2: Option<f64>,
}

impl RegressionMetrics {
    pub fn of(targets: &[f64], predictions: &[f64]) -> Result<Self, StatsError> {
        check_rows(targets.len())?;
        check_length("predictions", targets.len(), predictions.len())?;
        check_finite(targets)?;
        check_finite(predictions)?;

        let rows = targets.len() as f64;
        let errors = || targets.iter().zip(predictions).map(|(t, p)| t - p);
        let squared_error = sum(errors().map(|error| error * error));
        let absolute_error = sum(errors().map(f64::abs));
        let metrics = Self {
            rows: targets.len() as u64,
            rmse: (squared_error / rows).sqrt(),
            mae: absolute_error / rows,
            r2: variation(targets).map(|variation| 1.0 - squared_error / variation),
        };
        metrics.finite()
    }

    fn finite(self) -> Result<Self, StatsError> {
        let r2 = self.r2.unwrap_or_default();
        if self.rmse.is_finite() && self.mae.is_finite() && r2.is_finite() {
            return Ok(self);
        }
        Err(StatsError::SquaresOutOfRange)
    }
}

/// Returns the sum of squared distances from the mean, or nothing if all values are equal.
///
/// Equality is asked of the values: the mean of equal values may differ from them by a rounding.
fn variation(values: &[f64]) -> Option<f64> {
    values.iter().find(|value| **value != values[0])?;
    let mean = sum(values.iter().copied()) / values.len() as f64;
    Some(sum(values.iter().map(|v| (v - mean) * (v - mean))))
}

fn check_finite(values: &[f64]) -> Result<(), StatsError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(row) => Err(StatsError::NotFinite { row, value: values[row] }),
    }
}
