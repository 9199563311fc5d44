//! The metrics that a declaration can name, and what they are about. How they are computed is told in
//! `docs/evaluation.md`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a model is asked for each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of several classes.
    Classes,
    /// Which of some labels it has: several, or none.
    Labels,
    Number,
    /// Its place among the rows of the same query.
    Ranking,
}

/// What of a model's answers a metric looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// What is decided.
    Decision,
    /// The order that scores make.
    Scores,
    Probabilities,
}

/// A metric by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricKind {
    /// As messages list it: `top@K` stands for `top@1`, `top@2` and so on.
    pub name: &'static str,
    pub tasks: &'static [Task],
    /// About one class against the rest, which must be declared then.
    pub of_one_class: bool,
    pub looks: Looks,
    pub higher_is_better: bool,
}

const CLASSES: &[Task] = &[Task::Classes];
const CLASSES_OR_LABELS: &[Task] = &[Task::Classes, Task::Labels];
const NUMBER: &[Task] = &[Task::Number];
const RANKING: &[Task] = &[Task::Ranking];

/// All that an evaluation can be declared for.
pub const METRICS: [MetricKind; 31] = [
    one_class("auc"),
    kind("accuracy", CLASSES_OR_LABELS, Looks::Decision),
    loss("log_loss", CLASSES_OR_LABELS, Looks::Probabilities),
    loss("brier", CLASSES_OR_LABELS, Looks::Probabilities),
    kind("macro_recall", CLASSES_OR_LABELS, Looks::Decision),
    kind("macro_precision", CLASSES_OR_LABELS, Looks::Decision),
    kind("macro_f1", CLASSES_OR_LABELS, Looks::Decision),
    kind("micro_recall", CLASSES_OR_LABELS, Looks::Decision),
    kind("micro_precision", CLASSES_OR_LABELS, Looks::Decision),
    kind("micro_f1", CLASSES_OR_LABELS, Looks::Decision),
    kind("weighted_recall", CLASSES_OR_LABELS, Looks::Decision),
    kind("weighted_precision", CLASSES_OR_LABELS, Looks::Decision),
    kind("weighted_f1", CLASSES_OR_LABELS, Looks::Decision),
    kind("top@K", CLASSES, Looks::Scores),
    kind("auc_ovr", CLASSES_OR_LABELS, Looks::Scores),
    kind("auc_ovr_weighted", CLASSES_OR_LABELS, Looks::Scores),
    kind("auc_ovo", CLASSES, Looks::Scores),
    kind("auc_ovo_weighted", CLASSES, Looks::Scores),
    one_class("gini"),
    one_class("ks"),
    one_class("lift@SHARE"),
    loss("ece", CLASSES, Looks::Probabilities),
    loss("rmse", NUMBER, Looks::Decision),
    loss("mae", NUMBER, Looks::Decision),
    kind("r2", NUMBER, Looks::Decision),
    loss("mape", NUMBER, Looks::Decision),
    loss("pinball@SHARE", NUMBER, Looks::Decision),
    kind("ndcg@K", RANKING, Looks::Scores),
    kind("recall@K", RANKING, Looks::Scores),
    kind("map", RANKING, Looks::Scores),
    kind("mrr", RANKING, Looks::Scores),
];

/// Shares of rows about one class, which a gate can bound besides.
pub const RATES: [&str; 7] = ["selection_rate", "nonselection_rate", "tpr", "fpr", "tnr", "fnr", "precision"];

const fn kind(name: &'static str, tasks: &'static [Task], looks: Looks) -> MetricKind {
    MetricKind { name, tasks, of_one_class: false, looks, higher_is_better: true }
}

const fn loss(name: &'static str, tasks: &'static [Task], looks: Looks) -> MetricKind {
    MetricKind { higher_is_better: false, ..kind(name, tasks, looks) }
}

const fn one_class(name: &'static str) -> MetricKind {
    MetricKind { of_one_class: true, ..kind(name, CLASSES, Looks::Scores) }
}

impl MetricKind {
    /// Finds what a name stands for, as in `macro_f1` or `ndcg@10`.
    pub fn of(name: &str) -> Option<Self> {
        METRICS.into_iter().find(|kind| match kind.name.split_once('@') {
            None => kind.name == name,
            Some((base, parameter)) => {
                name.split_once('@').is_some_and(|(given, value)| given == base && is_parameter(parameter, value))
            }
        })
    }

    /// Whether a declaration of some task can be about it.
    pub fn is_for(&self, task: Task, names_positive: bool) -> bool {
        self.tasks.contains(&task) && (names_positive || !self.of_one_class)
    }

    /// Whether its name holds a number, so that it is only computed where it is asked for.
    pub fn has_parameter(&self) -> bool {
        self.name.contains('@')
    }
}

/// Each metric has one name: `0.10` is none.
fn is_parameter(parameter: &str, value: &str) -> bool {
    match parameter {
        "K" => value.parse().is_ok_and(|number: u32| (1..=1000).contains(&number) && number.to_string() == value),
        _ => value.parse().is_ok_and(|number: f64| {
            let is_short = value.len() <= "0.".len() + 6;
            0.0 < number && number < 1.0 && is_short && number.to_string() == value
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_one_name() {
        for name in ["auc", "top@3", "lift@0.1", "pinball@0.95", "ndcg@1000", "recall@1"] {
            assert!(MetricKind::of(name).is_some(), "{name}");
        }
        for name in ["AUC", "top", "top@K", "top@0", "top@03", "top@1001", "lift@1", "lift@0.10", "lift@.1", "auc@2"] {
            assert_eq!(MetricKind::of(name), None, "{name}");
        }
    }

    #[test]
    fn metrics_are_for_their_tasks() {
        let is_for = |name: &str, task, names_positive| MetricKind::of(name).unwrap().is_for(task, names_positive);
        assert!(is_for("macro_f1", Task::Labels, false) && is_for("macro_f1", Task::Classes, false));
        assert!(is_for("auc", Task::Classes, true) && !is_for("auc", Task::Classes, false));
        assert!(!is_for("rmse", Task::Classes, true) && !is_for("ndcg@10", Task::Number, false));
    }
}
