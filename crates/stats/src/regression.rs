//! How far predicted numbers are from the true ones; the definitions are scikit-learn's.

use crate::rows::{check_finite, check_length, check_rows};
use crate::sum::sum;
use crate::{Metric, StatsError};

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
    /// The mean absolute error as a share of the target, or of the machine epsilon where the target is closer to 0;
    /// nothing if a target is 0 (scikit-learn divides by the epsilon there, too).
    pub mape: Option<f64>,
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
            mape: mean_loss(Metric::Mape, targets, predictions)?,
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

/// Returns what each row adds to a metric that is a mean over rows, or nothing where some row has no such value.
pub(crate) fn losses(metric: Metric, targets: &[f64], predictions: &[f64]) -> Result<Option<Vec<f64>>, StatsError> {
    let rows = || targets.iter().zip(predictions);
    match metric {
        Metric::Mae => Ok(Some(rows().map(|(target, prediction)| (target - prediction).abs()).collect())),
        Metric::Mape => Ok(rows()
            .map(|(target, prediction)| {
                let share = || (target - prediction).abs() / target.abs().max(f64::EPSILON);
                (*target != 0.0).then(share)
            })
            .collect()),
        Metric::Pinball(quantile) => {
            let loss = |(target, prediction): (&f64, &f64)| {
                let above = target - prediction;
                if above >= 0.0 { quantile.value() * above } else { (quantile.value() - 1.0) * above }
            };
            Ok(Some(rows().map(loss).collect()))
        }
        other => Err(other.needs_other()),
    }
}

/// Returns a metric that is a mean over rows, or nothing where some row has no such value.
pub(crate) fn mean_loss(metric: Metric, targets: &[f64], predictions: &[f64]) -> Result<Option<f64>, StatsError> {
    let Some(losses) = losses(metric, targets, predictions)? else {
        return Ok(None);
    };
    Ok(Some(sum(losses.iter().copied()) / losses.len() as f64).filter(|mean| mean.is_finite()))
}
