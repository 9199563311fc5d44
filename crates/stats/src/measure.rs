//! What a metric is worth on given rows, and which metric a name stands for; both can fail.

use std::str::FromStr;

use crate::{Binary, Metric, RegressionMetrics, StatsError};

impl Metric {
    pub fn parse(name: &str) -> Result<Self, StatsError> {
        let found = Self::ALL.into_iter().find(|metric| metric.as_str() == name);
        found.ok_or_else(|| StatsError::UnknownMetric { name: name.to_owned() })
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

impl FromStr for Metric {
    type Err = StatsError;

    fn from_str(name: &str) -> Result<Self, StatsError> {
        Self::parse(name)
    }
}
