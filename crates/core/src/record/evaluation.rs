//! What an evaluation found: how rows were judged, the metrics on all of them, and those of each slice.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::search::LeakSearch;
use crate::Digest;

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
}

/// Metrics of whichever kind of model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Metrics {
    Multiclass(MulticlassSummary),
    Binary(BinarySummary),
    Regression(RegressionSummary),
}

impl Metrics {
    pub const fn rows(&self) -> u64 {
        match self {
            Self::Multiclass(summary) => summary.rows,
            Self::Binary(summary) => summary.rows,
            Self::Regression(summary) => summary.rows,
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
            (Self::Regression(summary), "rmse") => Some(summary.rmse),
            (Self::Regression(summary), "mae") => Some(summary.mae),
            (Self::Regression(summary), "r2") => summary.r2,
            (metrics, metric) => {
                metrics.share(metric).filter(|(_, of)| *of > 0).map(|(hits, of)| hits as f64 / of as f64)
            }
        }
    }

    /// A metric that is a share of rows: how many, of how many.
    pub fn share(&self, metric: &str) -> Option<(u64, u64)> {
        match (self, metric) {
            (Self::Multiclass(summary), "accuracy") => {
                Some((summary.classes.iter().map(|class| class.right).sum(), summary.rows))
            }
            (Self::Multiclass(summary), metric) => share_of(summary.positive.as_ref()?.confusion, metric),
            (Self::Binary(summary), metric) => share_of(summary.confusion, metric),
            (Self::Regression(_), _) => None,
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

/// The metrics of one slice of the evaluation data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SliceSummary {
    pub column: String,
    pub value: String,
    pub metrics: Metrics,
}

/// What makes a row's predicted class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecidesBy {
    /// The model's own label, which is what callers get.
    Label,
    /// The first of the greatest scores: the model answers no label.
    GreatestScore,
}

/// What a classifier's scores are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreKind {
    /// In every row from 0 to 1 and together 1.
    Probability,
    /// Anything else: they rank rows and are no probabilities.
    Decision,
    /// The model answers a label only.
    None,
}

/// How the answers of a classifier were judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClassJudgement {
    /// As the model names them, in the order of its scores.
    pub classes: Vec<String>,
    /// The declared class as the model names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<String>,
    pub decides_by: DecidesBy,
    pub scores: ScoreKind,
    /// Rows whose label is not the class with the greatest score; absent without either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_differs: Option<u64>,
}

impl ClassJudgement {
    /// Why a metric is not defined however the rows are; nothing if it depends on them.
    pub fn why_undefined(&self, metric: &str) -> Option<&'static str> {
        match (metric, self.scores) {
            ("rmse" | "mae" | "r2", _) => Some("the target is a class"),
            ("auc" | "log_loss" | "brier", ScoreKind::None) => Some("the model answers a label and no scores"),
            ("log_loss" | "brier", ScoreKind::Decision) => Some("the model's scores are no probabilities"),
            ("log_loss" | "brier" | "accuracy" | "macro_recall" | "macro_precision" | "macro_f1", _) => None,
            _ if self.positive.is_none() => Some("it is about one class, and the evaluation declares no `positive`"),
            _ => None,
        }
    }
}

/// What an evaluation found. Stored-format version 2; evidence points at its digest.
///
/// Version 1 took the most probable class for what a classifier answers, and target cells that are no class for
/// negative: what it says of classes does not count any more. What it says of numbers does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluationReport {
    pub v: u32,
    /// Content of the model that was evaluated.
    pub model_digest: Digest,
    /// For example `german-credit-test@1`.
    pub data: String,
    pub data_digest: Digest,
    pub target: String,
    /// The positive class as it was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<String>,
    pub primary: String,
    /// Inputs that several columns of the data were put together for → those columns in their order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gathered: BTreeMap<String, Vec<String>>,
    /// Absent for a target that is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<ClassJudgement>,
    pub overall: Metrics,
    pub slices: Vec<SliceSummary>,
    /// Rows of the data that the producing run read for training; they are left out of the metrics.
    pub leaky_rows: u64,
    /// Where such rows were looked for. An older report lacks it: then nothing is known of what was searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<LeakSearch>,
    /// Content: Parquet with one row per evaluated row (`row`, `label`, `predicted`, `score`, `scores`).
    pub predictions: Digest,
}

impl EvaluationReport {
    pub const VERSION: u32 = 2;

    pub const fn is_leaky(&self) -> bool {
        self.leaky_rows > 0
    }

    /// Why the producing run may have read rows that were not found; nothing if all that it read was looked at.
    pub fn leak_doubt(&self) -> Option<String> {
        match &self.search {
            Some(search) => search.doubt(&self.data),
            None => Some(format!("it is not known what was searched for rows of {}", self.data)),
        }
    }

    /// Whether it was judged by the rules of today.
    pub const fn is_current(&self) -> bool {
        self.v >= Self::VERSION || matches!(self.overall, Metrics::Regression(_))
    }

    /// The primary metric on all rows, if it is defined on them.
    pub fn primary_value(&self) -> Option<f64> {
        self.overall.value(&self.primary)
    }

    /// Why a metric has no value on any rows; nothing if it depends on them.
    pub fn never_defined(&self, metric: &str) -> Option<String> {
        let why = match &self.judged {
            Some(judged) => judged.why_undefined(metric),
            None if matches!(metric, "rmse" | "mae" | "r2") => None,
            None => Some("the target is a number"),
        };
        why.map(|why| format!("{metric} is not defined: {why}"))
    }

    /// Why a metric has no value, for people.
    pub fn why_undefined(&self, metric: &str) -> String {
        self.never_defined(metric).unwrap_or_else(|| format!("{metric} is not defined: all rows are of one kind"))
    }

    /// What is predicted, for people: ``creditability` = `bad`` or ``credit_amount``.
    pub fn question(&self) -> String {
        match &self.positive {
            Some(positive) => format!("`{}` = `{positive}`", self.target),
            None => format!("`{}`", self.target),
        }
    }

    /// What must be known to read the metrics of a classifier rightly, one line each.
    pub fn notes(&self) -> Vec<String> {
        if !self.is_current() {
            return vec!["it was judged by an older rule and does not count any more".to_owned()];
        }
        let Some(judged) = &self.judged else {
            return Vec::new();
        };
        let mut notes = Vec::new();
        if judged.decides_by == DecidesBy::GreatestScore {
            notes.push("the model answers no label: a row's class is the one with the greatest score".to_owned());
        }
        if let Some(differs) = judged.label_differs.filter(|rows| *rows > 0) {
            let rows = if differs == 1 { "row" } else { "rows" };
            notes.push(format!("in {differs} {rows} the label is not the class with the greatest score"));
        }
        match judged.scores {
            ScoreKind::Probability => {}
            ScoreKind::Decision => {
                notes.push("the scores are no probabilities: log loss and Brier score are not defined".to_owned());
            }
            ScoreKind::None => {
                notes.push("the model answers no scores: AUC, log loss and Brier score are not defined".to_owned());
            }
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 wrote it.
    const FROZEN: &str = concat!(
        r#"{"data":"test@1","data_digest":"b3:58b5f33b9abd1ecb8a17e4ac2ca1da3eea4ac8e2c1a6ee8a2c6d6b1c0a6d2c11","#,
        r#""leaky_rows":0,"model_digest":"b3:58b5f33b9abd1ecb8a17e4ac2ca1da3eea4ac8e2c1a6ee8a2c6d6b1c0a6d2c11","#,
        r#""overall":{"accuracy":0.75,"auc":0.5,"brier":0.25,"confusion":[1,0,1,2],"log_loss":0.7,"positives":3,"rows":4},"#,
        r#""positive":"bad","predictions":"b3:58b5f33b9abd1ecb8a17e4ac2ca1da3eea4ac8e2c1a6ee8a2c6d6b1c0a6d2c11","#,
        r#""primary":"auc","slices":[],"target":"risk","v":1}"#
    );

    #[test]
    fn reports_of_version_1_are_read_and_say_what_they_are() {
        let report: EvaluationReport = serde_json::from_str(FROZEN).unwrap();
        assert!(!report.is_current());
        assert_eq!((report.primary_value(), report.overall.value("log_loss")), (Some(0.5), Some(0.7)));
        assert_eq!(crate::canonical::to_bytes(&report).unwrap(), FROZEN.as_bytes());
        let regression = FROZEN
            .replace(
                r#""accuracy":0.75,"auc":0.5,"brier":0.25,"confusion":[1,0,1,2],"log_loss":0.7,"positives":3"#,
                r#""mae":1,"rmse":2"#,
            )
            .replace(r#""positive":"bad","#, "");
        let regression: EvaluationReport = serde_json::from_str(&regression).unwrap();
        assert!(
            regression.is_current()
                && regression.overall
                    == Metrics::Regression(RegressionSummary { rows: 4, rmse: 2.0, mae: 1.0, r2: None })
        );
    }

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
        };
        let metrics = Metrics::Multiclass(summary);
        let read: Metrics = serde_json::from_str(&serde_json::to_string(&metrics).unwrap()).unwrap();
        assert_eq!(read, metrics);
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

    #[test]
    fn what_is_not_defined_says_why() {
        let mut judged = ClassJudgement {
            classes: vec!["a".into(), "b".into()],
            positive: Some("a".into()),
            decides_by: DecidesBy::Label,
            scores: ScoreKind::Decision,
            label_differs: Some(1),
        };
        assert_eq!(judged.why_undefined("auc"), None);
        assert_eq!(judged.why_undefined("brier"), Some("the model's scores are no probabilities"));
        judged.scores = ScoreKind::None;
        assert_eq!(judged.why_undefined("auc"), Some("the model answers a label and no scores"));
        assert_eq!(judged.why_undefined("tpr"), None);
        judged.positive = None;
        assert_eq!(judged.why_undefined("accuracy"), None);
        for metric in ["tpr", "selection_rate"] {
            assert!(judged.why_undefined(metric).unwrap().contains("`positive`"), "{metric}");
        }
    }
}
