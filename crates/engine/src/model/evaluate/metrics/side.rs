//! Answers to some rows as a metric of them needs them: what its value is, and what a comparison resamples.

use stemma_stats::{
    Bootstrap, Metric, PairedInterval, StatsError, Weighable, mean, paired_bootstrap_of, paired_bootstrap_of_numbers,
    paired_bootstrap_of_rankings, paired_bootstrap_of_rows,
};

/// One side of a comparison.
pub enum Side<'a> {
    /// One value for each row, or for each query, whose mean is the metric.
    Each(Vec<f64>),
    /// The metric is computed anew from all rows.
    Whole { rows: usize, answers: Box<dyn Weighable + 'a> },
    /// Whether each row is of the class, and its score.
    OneClass(Vec<bool>, Vec<f64>),
    /// Targets and predictions.
    Numbers(&'a [f64], &'a [f64]),
}

impl Side<'_> {
    /// Returns the metric, or nothing if it isn't defined on these rows.
    pub fn value(&self, metric: Metric) -> Result<Option<f64>, StatsError> {
        match self {
            Self::Each(values) if values.is_empty() => Ok(None),
            Self::Each(values) => mean(values).map(Some),
            Self::Whole { rows, answers } => Ok(answers.value(&vec![1; *rows])),
            Self::OneClass(labels, scores) => stemma_stats::auc(labels, scores),
            Self::Numbers(targets, predictions) => metric.regression_value(targets, predictions),
        }
    }
}

/// Compares two answers to the same rows.
pub fn compare(old: &Side<'_>, new: &Side<'_>, bootstrap: &Bootstrap) -> Result<PairedInterval, StatsError> {
    match (old, new) {
        (Side::Each(old), Side::Each(new)) => paired_bootstrap_of_rows(old, new, bootstrap),
        (Side::Whole { answers: old, .. }, Side::Whole { rows, answers: new }) => {
            paired_bootstrap_of(&**old, &**new, *rows, bootstrap)
        }
        (Side::OneClass(_, old), Side::OneClass(labels, new)) => {
            paired_bootstrap_of_rankings(labels, old, new, bootstrap)
        }
        (Side::Numbers(_, old), Side::Numbers(targets, new)) => {
            paired_bootstrap_of_numbers(targets, old, new, bootstrap)
        }
        _ => Err(StatsError::Undefined { metric: bootstrap.metric }),
    }
}
