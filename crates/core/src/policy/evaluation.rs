//! On what the versions of a model are evaluated, and for what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Digest, canonical, record::EvaluationReport};

/// What can be primary for a target that is a class; `auc` is about one class, which must be declared then.
pub const CLASS_METRICS: [&str; 7] =
    ["auc", "accuracy", "log_loss", "brier", "macro_recall", "macro_precision", "macro_f1"];
/// What can be primary for a target that is a number.
pub const NUMBER_METRICS: [&str; 3] = ["rmse", "mae", "r2"];

/// How `register` evaluates a new version: `[model.<name>.evaluation]` of `stemma.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationSpec {
    /// Dataset name, path in `stemma.lock`, or `name@number`; resolved to a dataset version when declared.
    pub data: String,
    pub target: String,
    /// The class that `auc` and the rates are about. Without it all classes count alike if `primary` is a metric of
    /// classes, else the target is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<String>,
    /// `auc`, `accuracy`, `log_loss`, `brier`, `macro_recall`, `macro_precision` or `macro_f1`; for a number `rmse`,
    /// `mae` or `r2`.
    #[serde(default = "default_primary")]
    pub primary: String,
    #[serde(default)]
    pub slices: Vec<SliceSpec>,
    #[serde(default)]
    pub min_improvement: f64,
}

impl EvaluationSpec {
    /// Whether the target is a class, as declared: the model must have classes then.
    pub fn is_of_classes(&self) -> bool {
        self.positive.is_some() || CLASS_METRICS.iter().any(|metric| *metric != "auc" && *metric == self.primary)
    }

    /// The version of the rules by which rows are judged, if evidence made under the first ones does not count.
    pub fn rules(&self) -> Option<u32> {
        self.is_of_classes().then_some(EvaluationReport::VERSION)
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
        for (positive, primary, is_of_classes) in [
            (Some("bad"), "auc", true),
            (Some("bad"), "rmse", true),
            (None, "accuracy", true),
            (None, "macro_f1", true),
            (None, "rmse", false),
            (None, "auc", false),
        ] {
            assert_eq!(spec(positive, primary).is_of_classes(), is_of_classes, "{positive:?} {primary}");
        }
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
