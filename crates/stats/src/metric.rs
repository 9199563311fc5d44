//! The metrics by name, and which direction is better.

use std::fmt;
use std::str::FromStr;

use crate::{Binary, RegressionMetrics, StatsError};

/// A number that says how good predictions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    Accuracy,
    Auc,
    LogLoss,
    Brier,
    /// The mean of each class's share of its rows that were called so.
    MacroRecall,
    /// The mean of each class's share of right rows among those that were called so.
    MacroPrecision,
    /// The mean of each class's harmonic mean of both.
    MacroF1,
    Rmse,
    Mae,
    R2,
}

impl Metric {
    pub const ALL: [Self; 10] = [
        Self::Accuracy,
        Self::Auc,
        Self::LogLoss,
        Self::Brier,
        Self::MacroRecall,
        Self::MacroPrecision,
        Self::MacroF1,
        Self::Rmse,
        Self::Mae,
        Self::R2,
    ];

    /// All names, for messages.
    pub(crate) const NAMES: &str =
        "accuracy, auc, log_loss, brier, macro_recall, macro_precision, macro_f1, rmse, mae, r2";

    pub fn parse(name: &str) -> Result<Self, StatsError> {
        let found = Self::ALL.into_iter().find(|metric| metric.as_str() == name);
        found.ok_or_else(|| StatsError::UnknownMetric { name: name.to_owned() })
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Auc => "auc",
            Self::LogLoss => "log_loss",
            Self::Brier => "brier",
            Self::MacroRecall => "macro_recall",
            Self::MacroPrecision => "macro_precision",
            Self::MacroF1 => "macro_f1",
            Self::Rmse => "rmse",
            Self::Mae => "mae",
            Self::R2 => "r2",
        }
    }

    pub const fn is_mean_over_classes(self) -> bool {
        matches!(self, Self::MacroRecall | Self::MacroPrecision | Self::MacroF1)
    }

    pub const fn higher_is_better(self) -> bool {
        !matches!(self, Self::LogLoss | Self::Brier | Self::Rmse | Self::Mae)
    }

    /// Returns how much better `new` is than `old`: positive is better, for losses too.
    pub fn improvement(self, old: f64, new: f64) -> f64 {
        if self.higher_is_better() { new - old } else { old - new }
    }

    /// Returns the metric of scores for two classes (see [`crate::BinaryMetrics::of`]), or nothing
    /// where it isn't defined: the AUC of rows of one class.
    pub fn binary_value(self, labels: &[bool], scores: &[f64], threshold: f64) -> Result<Option<f64>, StatsError> {
        self.of_binary(&Binary::new(labels, scores, threshold)?)
    }

    pub(crate) fn of_binary(self, binary: &Binary<'_>) -> Result<Option<f64>, StatsError> {
        match self {
            Self::Accuracy => Ok(Some(binary.accuracy())),
            Self::Auc => Ok(binary.auc()),
            Self::LogLoss => Ok(Some(binary.log_loss())),
            Self::Brier => Ok(Some(binary.brier())),
            Self::MacroRecall | Self::MacroPrecision | Self::MacroF1 => Err(self.needs_classes()),
            Self::Rmse | Self::Mae | Self::R2 => Err(self.needs_numbers()),
        }
    }

    /// Returns the metric of predicted numbers, or nothing where it isn't defined: the R² of a
    /// target that never varies.
    pub fn regression_value(self, targets: &[f64], predictions: &[f64]) -> Result<Option<f64>, StatsError> {
        let metrics = RegressionMetrics::of(targets, predictions)?;
        match self {
            Self::Rmse => Ok(Some(metrics.rmse)),
            Self::Mae => Ok(Some(metrics.mae)),
            Self::R2 => Ok(metrics.r2),
            _ => Err(StatsError::WrongTarget { metric: self, needs: "labels of two classes" }),
        }
    }

    pub(crate) fn needs_classes(self) -> StatsError {
        StatsError::WrongTarget { metric: self, needs: "predicted classes" }
    }

    pub(crate) fn needs_numbers(self) -> StatsError {
        StatsError::WrongTarget { metric: self, needs: "a target that is a number" }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Metric {
    type Err = StatsError;

    fn from_str(name: &str) -> Result<Self, StatsError> {
        Self::parse(name)
    }
}

#[cfg(test)]
mod tests {
    use super::Metric;

    #[test]
    fn the_list_in_messages_is_complete() {
        assert_eq!(Metric::ALL.map(Metric::as_str).join(", "), Metric::NAMES);
    }
}
