//! What a metric is worth on given rows, and which metric a name stands for; both can fail.

use std::str::FromStr;

use crate::metric::{Fraction, PLACES_MAX};
use crate::regression::mean_loss;
use crate::{Binary, Metric, OneClass, RegressionMetrics, StatsError, Weighable as _};

impl Metric {
    pub fn parse(name: &str) -> Result<Self, StatsError> {
        let plain = Self::PLAIN.into_iter().find(|metric| metric.to_string() == name);
        plain.or_else(|| with_parameter(name)).ok_or_else(|| StatsError::UnknownMetric { name: name.to_owned() })
    }

    /// Returns the metric of scores for two classes (see [`crate::BinaryMetrics::of`]), or nothing
    /// where it isn't defined: the AUC of rows of one class.
    pub fn binary_value(self, labels: &[bool], scores: &[f64], threshold: f64) -> Result<Option<f64>, StatsError> {
        let binary = Binary::new(labels, scores, threshold)?;
        match self {
            Self::Accuracy => Ok(Some(binary.accuracy())),
            Self::LogLoss => Ok(Some(binary.log_loss())),
            Self::Brier => Ok(Some(binary.brier())),
            Self::Auc | Self::Gini | Self::Ks | Self::Lift(_) => {
                Ok(OneClass::new(self, labels, scores)?.value(&vec![1; labels.len()]))
            }
            other => Err(other.needs_other()),
        }
    }

    /// Returns the metric of predicted numbers, or nothing where it isn't defined: the R² of a
    /// target that never varies, the MAPE of one that is 0 in some row.
    pub fn regression_value(self, targets: &[f64], predictions: &[f64]) -> Result<Option<f64>, StatsError> {
        let metrics = RegressionMetrics::of(targets, predictions)?;
        match self {
            Self::Rmse => Ok(Some(metrics.rmse)),
            Self::Mae => Ok(Some(metrics.mae)),
            Self::R2 => Ok(metrics.r2),
            Self::Mape => Ok(metrics.mape),
            Self::Pinball(_) => mean_loss(self, targets, predictions),
            other => Err(other.needs_other()),
        }
    }

    /// The error of a metric that is asked of what it is not about.
    pub(crate) fn needs_other(self) -> StatsError {
        let needs = match self {
            metric if metric.is_of_numbers() => "a target that is a number",
            metric if metric.is_of_queries() => "rows by query",
            metric if metric.is_of_one_class() => "scores of one class",
            Self::Averaged(..) | Self::Accuracy => "predicted classes",
            _ => "scores of all classes",
        };
        StatsError::WrongTarget { metric: self, needs }
    }
}

fn with_parameter(name: &str) -> Option<Metric> {
    let (metric, parameter) = name.split_once('@')?;
    let places = || {
        let places: u32 = parameter.parse().ok().filter(|places| (1..=PLACES_MAX).contains(places))?;
        (places.to_string() == parameter).then_some(places)
    };
    match metric {
        "top" => places().map(Metric::Top),
        "ndcg" => places().map(Metric::Ndcg),
        "recall" => places().map(Metric::RecallAt),
        "lift" => Fraction::parse(parameter).map(Metric::Lift),
        "pinball" => Fraction::parse(parameter).map(Metric::Pinball),
        _ => None,
    }
}

impl FromStr for Metric {
    type Err = StatsError;

    fn from_str(name: &str) -> Result<Self, StatsError> {
        Self::parse(name)
    }
}
