//! On what the versions of a model are evaluated, and for what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Digest, canonical,
    metric::{MetricKind, Task},
    record::EvaluationReport,
};

/// How `register` evaluates a new version: `[model.<name>.evaluation]` of `stemma.toml`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationSpec {
    /// Dataset name, path in `stemma.lock`, or `name@number`; resolved to a dataset version when declared.
    pub data: String,
    /// The column that is predicted: a class, a number, a list of `labels`, or how relevant a row is to its `query`.
    pub target: String,
    /// The class that `auc` and the rates are about. Without it all classes count alike if `primary` is a metric of
    /// classes, else the target is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<String>,
    /// By what versions are compared. See `docs/evaluation.md` for all metrics.
    #[serde(default = "default_primary")]
    pub primary: String,
    /// Metrics with a number in their name that are computed besides, as in `top@5`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
    #[serde(default)]
    pub slices: Vec<SliceSpec>,
    #[serde(default)]
    pub min_improvement: f64,
    /// The columns that an input `[-1, n]` is put together from, in the order that the model was trained on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Labels of which a row may have several, in the order of the model's outputs. The target holds a list of them;
    /// where the data has no such column, it has one column of 0 and 1 for each label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The column that says which rows are ranked together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The classes that a command may answer; without it those of the data's target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Program and arguments that answer for models which can't be asked in this process: `{model}`, `{data}` and
    /// `{output}` stand for paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

impl EvaluationSpec {
    /// What the models are asked, as declared.
    pub fn task(&self) -> Task {
        let is_of_classes = || MetricKind::of(&self.primary).is_some_and(|kind| kind.is_for(Task::Classes, false));
        match self {
            Self { query: Some(_), .. } => Task::Ranking,
            Self { labels, .. } if !labels.is_empty() => Task::Labels,
            Self { positive: Some(_), .. } => Task::Classes,
            _ if is_of_classes() => Task::Classes,
            _ => Task::Number,
        }
    }

    /// The metrics with a number in their name that an evaluation computes, the primary one among them.
    pub fn asked(&self) -> Vec<String> {
        let primary = MetricKind::of(&self.primary).filter(MetricKind::has_parameter).map(|_| self.primary.clone());
        let others = self.metrics.iter().filter(|metric| **metric != self.primary).cloned();
        primary.into_iter().chain(others).collect()
    }

    /// The version of the rules by which rows are judged, if evidence made under the first ones does not count.
    pub fn rules(&self) -> Option<u32> {
        (self.task() != Task::Number).then_some(EvaluationReport::VERSION)
    }

    /// The digest under which evidence of an evaluation on some data is recorded.
    pub fn digest(&self, data: Digest) -> Digest {
        let digest = match self.rules() {
            Some(rules) => canonical::digest(&(self, data, rules)),
            None => canonical::digest(&(self, data)),
        };
        digest.expect("a declaration from JSON has finite numbers").0
    }
}

/// A way to cut the evaluation data into slices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SliceSpec {
    /// One slice per value of the column.
    Values(String),
    /// One slice per interval of a numeric column: below the first bound, between bounds, from the last bound on.
    Bins { column: String, bins: Vec<f64> },
}

impl SliceSpec {
    pub fn column(&self) -> &str {
        match self {
            Self::Values(column) | Self::Bins { column, .. } => column,
        }
    }
}

fn default_primary() -> String {
    "auc".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(positive: Option<&str>, primary: &str) -> EvaluationSpec {
        let spec = serde_json::json!({ "data": "t", "target": "y", "positive": positive, "primary": primary });
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn a_target_is_a_class_if_one_is_named_or_the_metric_is_of_classes() {
        for (positive, primary, task) in [
            (Some("bad"), "auc", Task::Classes),
            (Some("bad"), "rmse", Task::Classes),
            (None, "accuracy", Task::Classes),
            (None, "macro_f1", Task::Classes),
            (None, "top@3", Task::Classes),
            (None, "rmse", Task::Number),
            (None, "pinball@0.9", Task::Number),
            (None, "auc", Task::Number),
        ] {
            assert_eq!(spec(positive, primary).task(), task, "{positive:?} {primary}");
        }
        let labels = EvaluationSpec { labels: vec!["a".into()], ..spec(None, "macro_f1") };
        let ranking = EvaluationSpec { query: Some("q".into()), ..spec(None, "ndcg@10") };
        assert_eq!((labels.task(), ranking.task()), (Task::Labels, Task::Ranking));
    }

    #[test]
    fn what_is_asked_for_is_computed_once() {
        let metrics = vec!["top@5".into(), "top@3".into()];
        assert_eq!(EvaluationSpec { metrics, ..spec(None, "top@3") }.asked(), ["top@3", "top@5"]);
        assert!(spec(None, "macro_f1").asked().is_empty());
    }

    #[test]
    fn a_declaration_of_before_keeps_its_digest() {
        let text = r#"{"data":"t","min_improvement":0,"positive":"bad","primary":"auc","slices":["sex"],"target":"y"}"#;
        let spec: EvaluationSpec = serde_json::from_str(text).unwrap();
        assert_eq!(canonical::to_bytes(&spec).unwrap(), text.as_bytes());
    }

    #[test]
    fn evidence_about_numbers_keeps_its_digest_and_that_about_classes_does_not() {
        let data = Digest::of(b"data");
        let before = |spec: &EvaluationSpec| canonical::digest(&(spec, data)).unwrap().0;
        let (number, class) = (spec(None, "rmse"), spec(Some("bad"), "auc"));
        assert_eq!(number.digest(data), before(&number));
        assert_ne!(class.digest(data), before(&class));
    }
}
