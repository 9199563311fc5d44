//! Metrics of judged rows, overall and by slice.

pub mod classes;
mod defined;
mod labels;
pub mod numbers;
mod queries;
pub mod side;

use std::collections::BTreeMap;

use stemma_core::{
    Problem,
    metric::Task,
    policy::{EvaluationSpec, SliceSpec},
    record::{CalibrationBin, ClassJudgement, Metrics, SliceSummary},
};
use stemma_stats::{Metric, StatsError};

use self::{classes::JudgedClasses, labels::JudgedLabels, numbers::JudgedNumbers, queries::JudgedQueries, side::Side};
use super::predictions::RowPrediction;
use crate::table::Table;

/// Most slices in one report; a column with more values than this is no slice.
const SLICES_MAX: usize = 200;

/// What is known of all rows, by the kind of target.
pub enum Judgements<'a> {
    Classes(JudgedClasses<'a>),
    Labels(JudgedLabels<'a>),
    Numbers(JudgedNumbers),
    Queries(JudgedQueries),
}

impl<'a> Judgements<'a> {
    pub fn of<'r>(
        task: Task,
        judged: Option<&'a ClassJudgement>,
        rows: impl IntoIterator<Item = &'r RowPrediction>,
    ) -> Result<Self, Problem> {
        match (task, judged) {
            (Task::Classes, Some(judged)) => JudgedClasses::of(judged, rows).map(Self::Classes),
            (Task::Labels, Some(judged)) => JudgedLabels::of(judged, rows).map(Self::Labels),
            (Task::Ranking, _) => JudgedQueries::of(rows).map(Self::Queries),
            _ => JudgedNumbers::of(rows).map(Self::Numbers),
        }
    }

    /// Some of the rows, by their places.
    fn part(&self, places: &[usize]) -> Self {
        match self {
            Self::Classes(rows) => Self::Classes(rows.part(places)),
            Self::Labels(rows) => Self::Labels(rows.part(places)),
            Self::Numbers(rows) => Self::Numbers(rows.part(places)),
            Self::Queries(rows) => Self::Queries(rows.part(places)),
        }
    }

    /// All metrics of the rows that are defined on them, those with a number in their name if they are asked for.
    pub fn summary(&self, asked: &[String]) -> Result<Metrics, Problem> {
        let found = match self {
            Self::Classes(rows) => rows.summary(asked),
            Self::Labels(rows) => rows.summary(asked),
            Self::Numbers(rows) => rows.summary(asked),
            Self::Queries(rows) => rows.summary(asked),
        };
        found.map_err(not_computed)
    }

    pub fn calibration(&self) -> Result<Vec<CalibrationBin>, Problem> {
        match self {
            Self::Classes(rows) => rows.calibration().map_err(not_computed),
            Self::Labels(_) | Self::Numbers(_) | Self::Queries(_) => Ok(Vec::new()),
        }
    }

    /// What a comparison by a metric needs of the rows.
    pub fn side(&self, metric: Metric) -> Result<Side<'_>, StatsError> {
        match self {
            Self::Classes(rows) => rows.side(metric),
            Self::Labels(rows) => rows.side(metric),
            Self::Numbers(rows) => Ok(rows.side()),
            Self::Queries(rows) => rows.side(metric),
        }
    }
}

fn not_computed(error: StatsError) -> Problem {
    Problem::invalid(format!("the metrics can't be computed: {error}"))
}

/// Cuts the judged rows by each declared column and summarises every part, in the order of the declaration.
pub fn slices(
    spec: &EvaluationSpec,
    table: &Table,
    judged: &Judgements<'_>,
    rows: &[usize],
) -> Result<Vec<SliceSummary>, Problem> {
    let (asked, mut found) = (spec.asked(), Vec::new());
    for slice in &spec.slices {
        let column = table.column(slice.column())?;
        let mut parts: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
        for (place, row) in rows.iter().enumerate() {
            let cell = table.cell(*row, column);
            parts.entry(part_of(slice, cell)).or_default().push(place);
        }
        if found.len() + parts.len() > SLICES_MAX {
            let message = format!("slicing by `{}` gives more than {SLICES_MAX} slices", slice.column());
            return Err(Problem::invalid(message).hint("use `{ column = …, bins = […] }` for numbers"));
        }
        for ((_, value), places) in parts {
            let metrics = judged.part(&places).summary(&asked)?;
            found.push(SliceSummary { column: slice.column().to_owned(), value, metrics });
        }
    }
    Ok(found)
}

/// The part a cell falls into: an order among the parts of its column, and a name.
pub(super) fn part_of(slice: &SliceSpec, cell: &str) -> (usize, String) {
    let SliceSpec::Bins { bins, .. } = slice else {
        return (0, cell.to_owned());
    };
    let Ok(number) = cell.trim().parse::<f64>() else {
        return (usize::MAX, "not a number".to_owned());
    };
    let at = bins.iter().take_while(|bound| **bound <= number).count();
    let name = match (at.checked_sub(1).map(|below| bins[below]), bins.get(at)) {
        (None, Some(high)) => format!("< {high}"),
        (Some(low), Some(high)) => format!("{low} – {high}"),
        (Some(low), None) => format!("≥ {low}"),
        (None, None) => "all".to_owned(),
    };
    (at, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    use stemma_core::record::{DecidesBy, ScoreKind};

    use super::super::predictions::Said;

    fn judgement(classes: &[&str], positive: Option<&str>, scores: ScoreKind) -> ClassJudgement {
        ClassJudgement {
            classes: classes.iter().map(|&class| class.to_owned()).collect(),
            positive: positive.map(str::to_owned),
            decides_by: DecidesBy::Label,
            scores,
            label_differs: None,
        }
    }

    fn overall(judged: &ClassJudgement, rows: &[(&str, &str, Option<f64>, &[f64])]) -> Metrics {
        let rows: Vec<RowPrediction> = rows
            .iter()
            .zip(0..)
            .map(|((label, predicted, score, scores), row)| RowPrediction {
                row,
                label: (*label).to_owned(),
                query: None,
                said: Said { predicted: (*predicted).to_owned(), score: *score, scores: scores.to_vec() },
            })
            .collect();
        Judgements::of(Task::Classes, Some(judged), &rows).unwrap().summary(&["top@2".into()]).unwrap()
    }

    #[test]
    fn the_label_decides_and_not_the_score() {
        let judged = judgement(&["0", "1"], Some("1"), ScoreKind::Probability);
        // a threshold of 0.2
        let found = overall(&judged, &[("1", "1", Some(0.3), &[]), ("0", "0", Some(0.1), &[])]);
        assert_eq!(
            (found.value("accuracy"), found.value("tpr"), found.value("auc")),
            (Some(1.0), Some(1.0), Some(1.0))
        );
        // the mean of -ln 0.3 and -ln 0.9
        let expected = 0.654_666_659_991_881_2;
        assert!((found.value("log_loss").unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn two_of_three_classes_taken_for_each_other_are_right_in_a_third_of_the_rows() {
        let rows: [(&str, &str, Option<f64>, &[f64]); 3] = [
            ("a", "a", Some(1.0), &[1.0, 0.0, 0.0]),
            ("b", "c", Some(0.0), &[0.0, 0.0, 1.0]),
            ("c", "b", Some(0.0), &[0.0, 1.0, 0.0]),
        ];
        let one = judgement(&["a", "b", "c"], Some("a"), ScoreKind::Probability);
        let found = overall(&one, &rows);
        assert_eq!((found.value("accuracy"), found.share("accuracy")), (Some(1.0 / 3.0), Some((1, 3))));
        assert_eq!(
            (found.value("auc"), found.value("tpr"), found.value("brier")),
            (Some(1.0), Some(1.0), Some(4.0 / 3.0))
        );
        let alike = overall(&judgement(&["a", "b", "c"], None, ScoreKind::Probability), &rows);
        assert_eq!((alike.value("accuracy"), alike.value("macro_f1")), (Some(1.0 / 3.0), Some(1.0 / 3.0)));
        assert_eq!((alike.value("auc"), alike.value("tpr")), (None, None));
    }

    #[test]
    fn all_that_is_defined_is_computed() {
        let judged = judgement(&["a", "b", "c"], None, ScoreKind::Probability);
        let rows: [(&str, &str, Option<f64>, &[f64]); 4] = [
            ("a", "a", None, &[0.7, 0.2, 0.1]),
            ("b", "c", None, &[0.1, 0.3, 0.6]),
            ("c", "c", None, &[0.2, 0.1, 0.7]),
            ("a", "a", None, &[0.5, 0.3, 0.2]),
        ];
        let found = overall(&judged, &rows);
        assert_eq!((found.value("micro_f1"), found.value("weighted_recall")), (Some(0.75), Some(0.75)));
        // of `b`, one of three others is scored as high
        let auc = Some((1.0 + 2.5 / 3.0 + 1.0) / 3.0);
        assert_eq!((found.value("top@2"), found.value("auc_ovr"), found.value("gini")), (Some(1.0), auc, None));
        // the bins of 0.5, 0.6 and 0.7 hold one, one and two rows
        let expected = (0.5 + 0.6 + 2.0 * (1.0 - 0.7)) / 4.0;
        assert!((found.value("ece").unwrap() - expected).abs() < 1e-12, "{found:?}");
        let ranks = overall(&judgement(&["a", "b", "c"], None, ScoreKind::Decision), &rows);
        assert_eq!((ranks.value("ece"), ranks.value("auc_ovr")), (None, auc));
        let one = overall(&judged, &rows[..1]);
        assert_eq!((one.value("auc_ovr"), one.value("top@2")), (None, Some(1.0)));
    }

    #[test]
    fn labels_are_judged_each_and_all_together() {
        let judged = judgement(&["a", "b"], None, ScoreKind::Probability);
        let row = |row, label: &str, predicted: &str, scores: &[f64]| RowPrediction {
            row,
            label: label.into(),
            query: None,
            said: Said { predicted: predicted.into(), score: None, scores: scores.to_vec() },
        };
        let rows = [row(0, r#"["a"]"#, r#"["a","b"]"#, &[0.9, 0.6]), row(1, r#"["a","b"]"#, r#"["b"]"#, &[0.25, 0.75])];
        let judged = Judgements::of(Task::Labels, Some(&judged), &rows).unwrap();
        let found = judged.summary(&[]).unwrap();
        assert_eq!((found.value("accuracy"), found.value("micro_precision")), (Some(0.0), Some(2.0 / 3.0)));
        assert_eq!(found.value("auc_ovr"), None);
        let brier = (0.01 + 0.36 + 0.5625 + 0.0625) / 4.0;
        assert!((found.value("brier").unwrap() - brier).abs() < 1e-12);
        let Metrics::Labels(found) = found else { panic!("no labels") };
        assert_eq!(found.labels.iter().map(|label| label.right).collect::<Vec<_>>(), [1, 1]);
        assert!(Judgements::of(Task::Labels, None, &rows).is_err());
    }

    #[test]
    fn queries_are_ranked_and_those_without_a_relevant_row_are_counted() {
        let row = |(row, query, relevance, score): (u64, &str, &str, f64)| RowPrediction {
            row,
            label: relevance.into(),
            query: Some(query.into()),
            said: Said { predicted: score.to_string(), score: Some(score), scores: Vec::new() },
        };
        let rows = [(0, "q", "0", 2.0), (1, "p", "1", 1.0), (2, "q", "2", 1.0), (3, "p", "0", 0.5), (4, "r", "0", 1.0)];
        let rows = rows.map(row);
        let judged = Judgements::of(Task::Ranking, None, &rows).unwrap();
        let found = judged.summary(&["recall@1".into()]).unwrap();
        assert_eq!(
            (found.value("mrr"), found.value("recall@1"), found.value("map")),
            (Some(0.75), Some(0.5), Some(0.75))
        );
        let Metrics::Ranking(found) = found else { panic!("no ranking") };
        assert_eq!((found.rows, found.queries, found.without_relevant), (5, 3, 1));
    }

    #[test]
    fn decision_values_rank_and_are_no_probabilities() {
        let judged = judgement(&["0", "1"], Some("1"), ScoreKind::Decision);
        let found = overall(&judged, &[("1", "1", Some(3.0), &[]), ("0", "0", Some(-2.0), &[])]);
        assert_eq!((found.value("accuracy"), found.value("auc")), (Some(1.0), Some(1.0)));
        assert_eq!((found.value("log_loss"), found.value("brier")), (None, None));
        let label_only = judgement(&["0", "1"], Some("1"), ScoreKind::None);
        let found = overall(&label_only, &[("1", "1", None, &[]), ("0", "1", None, &[])]);
        assert_eq!((found.value("accuracy"), found.value("fpr"), found.value("auc")), (Some(0.5), Some(1.0), None));
    }

    #[test]
    fn two_classes_without_a_declared_one_have_the_losses_of_the_second() {
        let found = overall(
            &judgement(&["0", "1"], None, ScoreKind::Probability),
            &[("1", "1", None, &[0.25, 0.75]), ("0", "0", None, &[0.75, 0.25])],
        );
        assert_eq!(found.value("brier"), Some(0.0625));
        assert!((found.value("log_loss").unwrap() - 0.287_682_072_451_780_9).abs() < 1e-12);
    }

    #[test]
    fn bins_are_closed_below_and_ordered() {
        let slice = SliceSpec::Bins { column: "age".into(), bins: vec![25.0, 40.0] };
        let names: Vec<(usize, String)> = ["24.9", "25", "39", "40", "x"].map(|c| part_of(&slice, c)).into();
        let expected = [
            (0, "< 25".to_owned()),
            (1, "25 – 40".to_owned()),
            (1, "25 – 40".to_owned()),
            (2, "≥ 40".to_owned()),
            (usize::MAX, "not a number".to_owned()),
        ];
        assert_eq!(names, expected);
    }
}
