//! Rows with a number each, as their metrics see them.

use stemma_core::{
    Problem,
    metric::Task,
    record::{Metrics, RegressionSummary},
};
use stemma_stats::{Metric, RegressionMetrics, StatsError};

use super::{
    defined::{Computed, defined},
    side::Side,
};
use crate::model::evaluate::predictions::RowPrediction;

const APART: [&str; 3] = ["rmse", "mae", "r2"];

/// The true and the predicted number of each row.
#[derive(Debug, Default)]
pub struct JudgedNumbers {
    targets: Vec<f64>,
    predictions: Vec<f64>,
}

impl JudgedNumbers {
    pub fn of<'r>(rows: impl IntoIterator<Item = &'r RowPrediction>) -> Result<Self, Problem> {
        let mut found = Self::default();
        for row in rows {
            let (target, prediction) = judged_number(row)?;
            found.targets.push(target);
            found.predictions.push(prediction);
        }
        Ok(found)
    }

    /// Some of the rows.
    pub fn part(&self, places: &[usize]) -> Self {
        let pick = |of: &[f64]| places.iter().map(|place| of[*place]).collect();
        Self { targets: pick(&self.targets), predictions: pick(&self.predictions) }
    }

    pub fn row_count(&self) -> usize {
        self.targets.len()
    }

    /// The true and the predicted numbers.
    pub fn columns(&self) -> (&[f64], &[f64]) {
        (&self.targets, &self.predictions)
    }

    pub fn side(&self) -> Side<'_> {
        Side::Numbers(&self.targets, &self.predictions)
    }

    pub fn summary(&self, asked: &[String]) -> Result<Metrics, StatsError> {
        let RegressionMetrics { rows, rmse, mae, r2, .. } = RegressionMetrics::of(&self.targets, &self.predictions)?;
        let computed = Computed { task: Task::Number, names_positive: false, asked, apart: &APART };
        let more = defined(computed, |_| true, |_: Metric| Ok(self.side()))?;
        Ok(Metrics::Regression(RegressionSummary { rows, rmse, mae, r2, more }))
    }
}

/// The true and the predicted number of a row.
pub fn judged_number(row: &RowPrediction) -> Result<(f64, f64), Problem> {
    let target = row.label.trim().parse().ok();
    let of_row = target.zip(row.said.score);
    of_row.ok_or_else(|| Problem::invalid(format!("row {} has no number to compare", row.row)))
}
