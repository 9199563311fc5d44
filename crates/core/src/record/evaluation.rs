//! What an evaluation found: how rows were judged, the metrics on all of them, and those of each slice.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    metrics::{ClassSummary, Metrics, RankingSummary},
    search::LeakSearch,
};
use crate::{
    Digest,
    id::RunId,
    metric::{Looks, MetricKind, Task},
};

/// Most classes of which each pair is compared.
pub const PAIRED_CLASSES_MAX: usize = 32;
/// Classes that a note names.
const NAMED_MAX: usize = 5;

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
    /// Of labels, each whose score is above 0.5: the model answers none.
    ScoreAboveHalf,
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
    /// The same for a metric of labels.
    fn why_undefined_of_labels(&self, metric: &str) -> Option<&'static str> {
        match (MetricKind::of(metric)?.looks, self.scores) {
            (Looks::Scores | Looks::Probabilities, ScoreKind::None) => Some("the model answers labels and no scores"),
            (Looks::Probabilities, ScoreKind::Decision) => Some("the model's scores are no probabilities"),
            _ => None,
        }
    }

    /// Why a metric is not defined however the rows are; nothing if it depends on them.
    pub fn why_undefined(&self, metric: &str) -> Option<&'static str> {
        // what is no metric of an evaluation is a rate of one class
        let kind = MetricKind::of(metric);
        let looks = kind.map_or(Looks::Decision, |kind| kind.looks);
        let is_of_one_class = kind.is_none_or(|kind| kind.of_one_class);
        match (looks, self.scores) {
            _ if kind.is_some_and(|kind| !kind.is_for(Task::Classes, true)) => Some("the target is a class"),
            (Looks::Scores | Looks::Probabilities, ScoreKind::None) => Some("the model answers a label and no scores"),
            (Looks::Probabilities, ScoreKind::Decision) => Some("the model's scores are no probabilities"),
            _ if is_of_one_class && self.positive.is_none() => {
                Some("it is about one class, and the evaluation declares no `positive`")
            }
            _ if metric.starts_with("top@") && self.classes.len() <= 2 => Some("there are two classes"),
            _ if metric.starts_with("auc_ovo") && self.classes.len() > PAIRED_CLASSES_MAX => {
                Some("there are more than 32 classes, and so too many pairs")
            }
            _ => None,
        }
    }
}

/// How a command came to answer, where the model could not be asked in this process. Its answers are judged like those
/// of any other; that they are the model's rests on what was seen of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ByCommand {
    /// The run that answered; its record has the command, the code, and all that was read.
    pub run: RunId,
    pub environment: Digest,
    /// As the run's record has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Content: the rows as they were asked, without the target.
    pub question: Digest,
    /// Content: what the command wrote.
    pub answers: Digest,
}

/// The rows whose probability lies in a part of the range from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalibrationBin {
    /// Excluded, except for 0.
    pub low: f64,
    pub high: f64,
    pub rows: u64,
    /// The mean probability: of the declared class if there are two, else of the class that was decided.
    pub said: f64,
    /// The share of rows in which it was so.
    pub was: f64,
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
    /// The metrics with a number in their name that were computed. An older report lacks it, and all metrics that came
    /// with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Vec<String>>,
    /// The labels of which a row may have several, as they were declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The column that says which rows are ranked together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Absent if the model was asked in this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_command: Option<ByCommand>,
    /// Inputs that several columns of the data were put together for → those columns in their order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gathered: BTreeMap<String, Vec<String>>,
    /// How classes or labels were judged; absent for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<ClassJudgement>,
    pub overall: Metrics,
    /// Bins that have rows, of all rows; empty where the scores are no probabilities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<CalibrationBin>,
    pub slices: Vec<SliceSummary>,
    /// Rows of the data that the producing run read for training; they are left out of the metrics.
    pub leaky_rows: u64,
    /// Where such rows were looked for. An older report lacks it: then nothing is known of what was searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<LeakSearch>,
    /// Content: Parquet with one row per evaluated row (`row`, `label`, `predicted`, `score`, `scores`; of a
    /// ranking also `query`).
    pub predictions: Digest,
}

/// What stands behind a number that rests on what a command answered.
pub const BY_COMMAND: &str = ", by command";

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

    /// What the model was asked for each row.
    pub fn task(&self) -> Task {
        match self {
            Self { query: Some(_), .. } => Task::Ranking,
            Self { labels, .. } if !labels.is_empty() => Task::Labels,
            Self { judged: Some(_), .. } => Task::Classes,
            _ => Task::Number,
        }
    }

    /// As in `, by command`, where people are told a number.
    pub const fn by(&self) -> &'static str {
        if self.by_command.is_some() { BY_COMMAND } else { "" }
    }

    /// Why a metric has no value on any rows; nothing if it depends on them.
    pub fn never_defined(&self, metric: &str) -> Option<String> {
        let is_for = |task| MetricKind::of(metric).is_some_and(|kind| kind.is_for(task, true));
        let why = match (self.task(), &self.judged) {
            (Task::Classes, Some(judged)) => judged.why_undefined(metric),
            (Task::Labels, Some(judged)) if is_for(Task::Labels) => judged.why_undefined_of_labels(metric),
            (Task::Labels, _) => Some("rows have several labels"),
            (Task::Ranking, _) if !is_for(Task::Ranking) => Some("the target is a ranking"),
            (Task::Number, _) if !is_for(Task::Number) => Some("the target is a number"),
            _ => None,
        };
        let why = why.map(str::to_owned).or_else(|| self.not_computed(metric));
        why.map(|why| format!("{metric} is not defined: {why}"))
    }

    /// Why a metric that could be defined was not computed.
    fn not_computed(&self, metric: &str) -> Option<String> {
        let has_parameter = MetricKind::of(metric)?.has_parameter();
        match &self.asked {
            _ if self.overall.value(metric).is_some() => None,
            Some(asked) if has_parameter && !asked.iter().any(|asked| asked == metric) => Some(format!(
                "it was not asked for; add it to `metrics = [\"{metric}\"]` of the evaluation and evaluate again"
            )),
            None if !matches!(metric, "auc" | "r2" | "log_loss" | "brier") => {
                Some("it was evaluated before that was computed; evaluate it again".to_owned())
            }
            _ => None,
        }
    }

    /// Why a metric has no value, for people.
    pub fn why_undefined(&self, metric: &str) -> String {
        let of_rows = || match metric {
            "mape" => "a target is 0",
            "r2" => "the target never varies",
            _ if metric.starts_with("auc_ov") => "a class or label has no row, or all rows",
            _ if self.task() == Task::Labels => "there is no label",
            _ if self.task() == Task::Ranking => "no query has a relevant row",
            _ => "all rows are of one kind",
        };
        self.never_defined(metric).unwrap_or_else(|| format!("{metric} is not defined: {}", of_rows()))
    }

    /// What is predicted, for people: ``creditability` = `bad`` or ``credit_amount``.
    pub fn question(&self) -> String {
        match &self.positive {
            Some(positive) => format!("`{}` = `{positive}`", self.target),
            None => format!("`{}`", self.target),
        }
    }

    /// What must be known to read the metrics rightly, one line each.
    pub fn notes(&self) -> Vec<String> {
        if !self.is_current() {
            return vec!["it was judged by an older rule and does not count any more".to_owned()];
        }
        let mut notes = Vec::new();
        if let Some(by) = &self.by_command {
            notes.push(format!("by command: run {} answered, and what it answered was judged here", by.run));
        }
        if let Some(judged) = &self.judged {
            notes.extend(judged.notes());
        }
        notes.extend(shares_of_nothing(&self.overall));
        if let Metrics::Ranking(RankingSummary { queries, without_relevant: without @ 1.., .. }) = self.overall {
            notes.push(format!("{without} of {queries} queries have no relevant row, so no metric counts them"));
        }
        notes
    }
}

impl ClassJudgement {
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.decides_by == DecidesBy::GreatestScore {
            notes.push("the model answers no label: a row's class is the one with the greatest score".to_owned());
        }
        if self.decides_by == DecidesBy::ScoreAboveHalf {
            notes.push("the model answers no labels: a row has those whose score is above 0.5".to_owned());
        }
        if let Some(differs) = self.label_differs.filter(|rows| *rows > 0) {
            let rows = if differs == 1 { "row" } else { "rows" };
            notes.push(format!("in {differs} {rows} the label is not the class with the greatest score"));
        }
        match self.scores {
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

/// Which classes or labels add zero to a mean over all of them because nothing is known of how they fare.
fn shares_of_nothing(metrics: &Metrics) -> Vec<String> {
    let classes = match metrics {
        Metrics::Multiclass(found) => &found.classes,
        Metrics::Labels(found) => &found.labels,
        _ => return Vec::new(),
    };
    let named = |is: fn(&ClassSummary) -> bool| -> Vec<String> {
        classes.iter().filter(|class| is(class)).map(|class| format!("`{}`", class.class)).collect()
    };
    let told = |names: Vec<String>, what: &str| {
        let (shown, more) = names.split_at(names.len().min(NAMED_MAX));
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        (!names.is_empty()).then(|| format!("{what}: {}{more}", shown.join(", ")))
    };
    let never_predicted = named(|class| class.predicted == 0 && class.rows > 0);
    let never_true = named(|class| class.rows == 0 && class.predicted > 0);
    let neither = named(|class| class.rows == 0 && class.predicted == 0);
    let neither_means = match metrics {
        Metrics::Labels(_) => "of no row and never predicted, so they add zero to macro averages",
        _ => "in no row and never predicted, so no average counts them",
    };
    [
        told(never_predicted, "never predicted, so the precision counts as 0"),
        told(never_true, "in no row, so the recall counts as 0 in macro averages"),
        told(neither, neither_means),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::metrics::RegressionSummary, *};

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
        assert_eq!(
            EvaluationReport { judged: None, ..report.clone() }.why_undefined("mape"),
            "mape is not defined: it was evaluated before that was computed; evaluate it again"
        );
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
                    == Metrics::Regression(RegressionSummary {
                        rows: 4,
                        rmse: 2.0,
                        mae: 1.0,
                        r2: None,
                        more: BTreeMap::new()
                    })
        );
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
        assert_eq!(judged.why_undefined("ndcg@10"), Some("the target is a class"));
        assert_eq!(judged.why_undefined("auc_ovr"), Some("the model answers a label and no scores"));
        for metric in ["tpr", "selection_rate"] {
            assert!(judged.why_undefined(metric).unwrap().contains("`positive`"), "{metric}");
        }
    }
}
