//! The metrics of some rows, by the kind of answers that they are of.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::{METRICS, RATES};

/// Metrics of a classifier of two classes on some rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BinarySummary {
    pub rows: u64,
    pub positives: u64,
    pub accuracy: f64,
    /// Absent when only one class occurs, or there are no scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// Absent when the scores are no probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_loss: Option<f64>,
    /// Absent when the scores are no probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brier: Option<f64>,
    /// True negatives, false positives, false negatives, true positives.
    pub confusion: [u64; 4],
    /// All others that are defined on these rows, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, f64>,
}

/// Metrics of a classifier on some rows in which all its classes count alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MulticlassSummary {
    pub rows: u64,
    /// The share of rows whose predicted class is the true one, whichever it is.
    pub accuracy: f64,
    pub macro_recall: f64,
    pub macro_precision: f64,
    pub macro_f1: f64,
    /// Over all classes; absent when the scores are no probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_loss: Option<f64>,
    /// Over all classes, 0 to 2 (of two classes 0 to 1); absent when the scores are no probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brier: Option<f64>,
    /// In the model's order.
    pub classes: Vec<ClassSummary>,
    /// The declared class against all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<OneClass>,
    /// All others that are defined on these rows, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, f64>,
}

/// How often a class was true, was predicted, and was both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClassSummary {
    pub class: String,
    pub rows: u64,
    pub predicted: u64,
    pub right: u64,
}

/// One class against the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OneClass {
    pub class: String,
    /// Absent when all rows or none are of the class, or there are no scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// True negatives, false positives, false negatives, true positives.
    pub confusion: [u64; 4],
}

/// Metrics of predicted numbers on some rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegressionSummary {
    pub rows: u64,
    /// In the unit of the target.
    pub rmse: f64,
    /// In the unit of the target.
    pub mae: f64,
    /// Absent when the target never varies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// All others that are defined on these rows, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, f64>,
}

/// Metrics of labels, of which a row may have several, on some rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelsSummary {
    pub rows: u64,
    /// The share of rows all of whose labels are right.
    pub accuracy: f64,
    /// In the declared order.
    pub labels: Vec<ClassSummary>,
    /// All others that are defined on these rows, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, f64>,
}

/// Metrics of rankings on some rows: means over their queries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RankingSummary {
    pub rows: u64,
    pub queries: u64,
    /// Queries without a relevant row, which no metric counts.
    pub without_relevant: u64,
    /// All others that are defined on these rows, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, f64>,
}

/// Metrics of whichever kind of model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Metrics {
    Multiclass(MulticlassSummary),
    Binary(BinarySummary),
    Labels(LabelsSummary),
    Ranking(RankingSummary),
    Regression(RegressionSummary),
}

impl Metrics {
    pub const fn rows(&self) -> u64 {
        match self {
            Self::Multiclass(summary) => summary.rows,
            Self::Binary(summary) => summary.rows,
            Self::Labels(summary) => summary.rows,
            Self::Ranking(summary) => summary.rows,
            Self::Regression(summary) => summary.rows,
        }
    }

    /// All others by their names.
    pub const fn more(&self) -> &BTreeMap<String, f64> {
        match self {
            Self::Multiclass(summary) => &summary.more,
            Self::Binary(summary) => &summary.more,
            Self::Labels(summary) => &summary.more,
            Self::Ranking(summary) => &summary.more,
            Self::Regression(summary) => &summary.more,
        }
    }

    /// A metric by its name; nothing if it isn't defined on these rows or for this kind of model.
    pub fn value(&self, metric: &str) -> Option<f64> {
        match (self, metric) {
            (Self::Multiclass(summary), "accuracy") => Some(summary.accuracy),
            (Self::Multiclass(summary), "auc") => summary.positive.as_ref()?.auc,
            (Self::Multiclass(summary), "log_loss") => summary.log_loss,
            (Self::Multiclass(summary), "brier") => summary.brier,
            (Self::Multiclass(summary), "macro_recall") => Some(summary.macro_recall),
            (Self::Multiclass(summary), "macro_precision") => Some(summary.macro_precision),
            (Self::Multiclass(summary), "macro_f1") => Some(summary.macro_f1),
            (Self::Binary(summary), "auc") => summary.auc,
            (Self::Binary(summary), "accuracy") => Some(summary.accuracy),
            (Self::Binary(summary), "log_loss") => summary.log_loss,
            (Self::Binary(summary), "brier") => summary.brier,
            (Self::Binary(summary), "macro_recall" | "macro_precision" | "macro_f1") => {
                macro_of_two(summary.confusion, metric)
            }
            (Self::Labels(summary), "accuracy") => Some(summary.accuracy),
            (Self::Regression(summary), "rmse") => Some(summary.rmse),
            (Self::Regression(summary), "mae") => Some(summary.mae),
            (Self::Regression(summary), "r2") => summary.r2,
            (metrics, metric) => {
                let share = metrics.share(metric).filter(|(_, of)| *of > 0).map(|(hits, of)| hits as f64 / of as f64);
                share.or_else(|| metrics.more().get(metric).copied())
            }
        }
    }

    /// Every metric that is defined on these rows, by its name.
    pub fn all(&self) -> BTreeMap<String, f64> {
        let names = METRICS.iter().map(|metric| metric.name).chain(RATES);
        let named = names.filter_map(|name| Some((name.to_owned(), self.value(name)?)));
        let more = self.more().iter().map(|(name, value)| (name.clone(), *value));
        more.chain(named).filter(|(_, value)| value.is_finite()).collect()
    }

    /// A metric that is a share of rows: how many, of how many.
    pub fn share(&self, metric: &str) -> Option<(u64, u64)> {
        match (self, metric) {
            (Self::Multiclass(summary), "accuracy") => {
                Some((summary.classes.iter().map(|class| class.right).sum(), summary.rows))
            }
            (Self::Multiclass(summary), metric) => share_of(summary.positive.as_ref()?.confusion, metric),
            (Self::Binary(summary), metric) => share_of(summary.confusion, metric),
            (Self::Labels(_) | Self::Ranking(_) | Self::Regression(_), _) => None,
        }
    }
}

fn share_of([tn, fp, fn_, tp]: [u64; 4], metric: &str) -> Option<(u64, u64)> {
    Some(match metric {
        "accuracy" => (tn + tp, tn + fp + fn_ + tp),
        "selection_rate" => (tp + fp, tn + fp + fn_ + tp),
        "nonselection_rate" => (tn + fn_, tn + fp + fn_ + tp),
        "tpr" => (tp, tp + fn_),
        "fnr" => (fn_, tp + fn_),
        "tnr" => (tn, tn + fp),
        "fpr" => (fp, tn + fp),
        "precision" => (tp, tp + fp),
        _ => return None,
    })
}

/// The mean over two classes of what is counted for each against the other; a class that is neither true nor predicted
/// does not count, and a share of nothing is zero.
fn macro_of_two([tn, fp, fn_, tp]: [u64; 4], metric: &str) -> Option<f64> {
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let of_class = |[fp, fn_, tp]: [u64; 3]| match metric {
        "macro_recall" => Some(share(tp, tp + fn_)),
        "macro_precision" => Some(share(tp, tp + fp)),
        "macro_f1" => Some(share(2 * tp, 2 * tp + fp + fn_)),
        _ => None,
    };
    let occurring = [[fp, fn_, tp], [fn_, fp, tn]].into_iter().filter(|counts| counts.iter().any(|count| *count > 0));
    let values = occurring.map(of_class).collect::<Option<Vec<f64>>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_metrics_are_told_apart_when_read() {
        let one = OneClass { class: "a".into(), auc: None, confusion: [2, 1, 0, 1] };
        let class = |class: &str, rows, predicted, right| ClassSummary { class: class.into(), rows, predicted, right };
        let summary = MulticlassSummary {
            rows: 4,
            accuracy: 0.5,
            macro_recall: 0.4,
            macro_precision: 0.3,
            macro_f1: 0.2,
            log_loss: None,
            brier: Some(0.1),
            classes: vec![class("a", 1, 2, 1), class("b", 2, 1, 1), class("c", 1, 1, 0)],
            positive: Some(one),
            more: BTreeMap::from([("auc_ovr".to_owned(), 0.75)]),
        };
        let metrics = Metrics::Multiclass(summary);
        let more = || BTreeMap::from([("mrr".to_owned(), 0.5)]);
        let labels = vec![class("a", 1, 2, 1)];
        for metrics in [
            metrics.clone(),
            Metrics::Labels(LabelsSummary { rows: 4, accuracy: 0.5, labels, more: more() }),
            Metrics::Ranking(RankingSummary { rows: 4, queries: 2, without_relevant: 1, more: more() }),
            Metrics::Regression(RegressionSummary { rows: 4, rmse: 1.0, mae: 1.0, r2: None, more: more() }),
        ] {
            let read: Metrics = serde_json::from_str(&serde_json::to_string(&metrics).unwrap()).unwrap();
            assert_eq!(read, metrics);
        }
        assert_eq!(metrics.value("auc_ovr"), Some(0.75));
        assert_eq!(metrics.share("accuracy"), Some((2, 4)));
        // of the class against the rest three rows are right: that is no accuracy
        assert_eq!((metrics.value("accuracy"), metrics.value("tpr")), (Some(0.5), Some(1.0)));
        assert_eq!((metrics.value("log_loss"), metrics.value("auc"), metrics.value("rmse")), (None, None, None));
    }

    #[test]
    fn two_classes_have_a_mean_too() {
        let of = |metric: &str| macro_of_two([3, 1, 2, 4], metric).unwrap();
        assert_eq!(of("macro_recall"), (4.0 / 6.0 + 3.0 / 4.0) / 2.0);
        assert_eq!(of("macro_precision"), (4.0 / 5.0 + 3.0 / 5.0) / 2.0);
        assert_eq!(of("macro_f1"), (8.0 / 11.0 + 6.0 / 9.0) / 2.0);
        assert_eq!(macro_of_two([0, 0, 0, 2], "macro_f1"), Some(1.0));
        assert_eq!(macro_of_two([0; 4], "macro_f1"), None);
    }
}
