//! Metrics of judged rows, overall and by slice.

use std::collections::BTreeMap;

use stemma_core::{
    Problem,
    policy::{EvaluationSpec, SliceSpec},
    record::{
        BinarySummary, ClassJudgement, ClassSummary, Metrics, MulticlassSummary, OneClass, RegressionSummary,
        ScoreKind, SliceSummary,
    },
};
use stemma_stats::{
    Classes, Metric, RegressionMetrics, StatsError, auc, brier_of_classes, brier_of_row, log_loss_of_row,
    macro_average, mean,
};

use super::predictions::RowPrediction;
use crate::table::Table;

/// Most slices in one report; a column with more values than this is no slice.
const SLICES_MAX: usize = 200;

/// What is known of all rows, by the kind of target.
pub enum Judgements<'a> {
    Classes(JudgedClasses<'a>),
    /// The true and the predicted number.
    Numbers(Vec<(f64, f64)>),
}

/// Rows of a classifier, as all its metrics see them.
pub struct JudgedClasses<'a> {
    pub judged: &'a ClassJudgement,
    positive: Option<usize>,
    pub rows: Vec<JudgedRow>,
}

/// One row; classes are numbered in the model's order.
#[derive(Debug, Clone, Copy)]
pub struct JudgedRow {
    pub truth: usize,
    pub predicted: usize,
    /// Of the declared class.
    pub score: Option<f64>,
    /// Absent where the scores are no probabilities.
    pub log_loss: Option<f64>,
    pub brier: Option<f64>,
}

impl<'a> Judgements<'a> {
    pub fn of<'r>(
        judged: Option<&'a ClassJudgement>,
        rows: impl IntoIterator<Item = &'r RowPrediction>,
    ) -> Result<Self, Problem> {
        match judged {
            Some(judged) => JudgedClasses::of(judged, rows).map(Self::Classes),
            None => rows.into_iter().map(judged_number).collect::<Result<_, _>>().map(Self::Numbers),
        }
    }

    /// The metrics of some rows, by their places.
    fn summary(&self, places: impl Iterator<Item = usize>) -> Result<Metrics, Problem> {
        match self {
            Self::Classes(classes) => {
                let rows: Vec<JudgedRow> = places.map(|place| classes.rows[place]).collect();
                classes.summary(&rows).map_err(not_computed)
            }
            Self::Numbers(rows) => {
                let (targets, predictions): (Vec<f64>, Vec<f64>) = places.map(|place| rows[place]).unzip();
                let metrics = RegressionMetrics::of(&targets, &predictions).map_err(not_computed)?;
                let RegressionMetrics { rows, rmse, mae, r2 } = metrics;
                Ok(Metrics::Regression(RegressionSummary { rows, rmse, mae, r2 }))
            }
        }
    }

    pub fn overall(&self) -> Result<Metrics, Problem> {
        let rows = match self {
            Self::Classes(classes) => classes.rows.len(),
            Self::Numbers(rows) => rows.len(),
        };
        self.summary(0..rows)
    }
}

fn not_computed(error: StatsError) -> Problem {
    Problem::invalid(format!("the metrics can't be computed: {error}"))
}

fn judged_number(row: &RowPrediction) -> Result<(f64, f64), Problem> {
    let target = row.label.trim().parse().ok();
    let of_row = target.zip(row.said.score);
    of_row.ok_or_else(|| Problem::invalid(format!("row {} has no number to compare", row.row)))
}

impl<'a> JudgedClasses<'a> {
    fn of<'r>(judged: &'a ClassJudgement, rows: impl IntoIterator<Item = &'r RowPrediction>) -> Result<Self, Problem> {
        let place = |class: &str| {
            let place = judged.classes.iter().position(|known| known == class);
            place.ok_or_else(|| Problem::invalid(format!("`{class}` is no class of the model")))
        };
        let positive = judged.positive.as_deref().map(place).transpose()?;
        let judge = |row: &RowPrediction| {
            let (truth, predicted) = (place(&row.label)?, place(&row.said.predicted)?);
            let losses = (judged.scores == ScoreKind::Probability).then(|| losses(row, truth, positive)).flatten();
            let (log_loss, brier) = losses.unzip();
            Ok(JudgedRow { truth, predicted, score: row.said.score, log_loss, brier })
        };
        let rows = rows.into_iter().map(judge).collect::<Result<_, Problem>>()?;
        Ok(Self { judged, positive, rows })
    }

    /// Whether each row is of the declared class.
    pub fn are_positive(&self) -> Option<Vec<bool>> {
        let positive = self.positive?;
        Some(self.rows.iter().map(|row| row.truth == positive).collect())
    }

    fn summary(&self, rows: &[JudgedRow]) -> Result<Metrics, StatsError> {
        let one =
            self.positive.map(|positive| one_class(&self.judged.classes[positive], rows, positive)).transpose()?;
        let log_loss = mean_of(rows, |row| row.log_loss)?;
        let brier = mean_of(rows, |row| row.brier)?;
        match one {
            Some(OneClass { auc, confusion, .. }) if self.judged.classes.len() == 2 => {
                Ok(Metrics::Binary(BinarySummary {
                    rows: rows.len() as u64,
                    positives: confusion[2] + confusion[3],
                    accuracy: (confusion[0] + confusion[3]) as f64 / rows.len() as f64,
                    auc,
                    log_loss,
                    brier,
                    confusion,
                }))
            }
            positive => self.summary_of_all(rows, (log_loss, brier), positive).map(Metrics::Multiclass),
        }
    }

    fn summary_of_all(
        &self,
        rows: &[JudgedRow],
        (log_loss, brier): (Option<f64>, Option<f64>),
        positive: Option<OneClass>,
    ) -> Result<MulticlassSummary, StatsError> {
        let (truth, predicted): (Vec<usize>, Vec<usize>) = rows.iter().map(|row| (row.truth, row.predicted)).unzip();
        let counts = Classes::new(&truth, &predicted, self.judged.classes.len())?.counts();
        let right: u64 = counts.iter().map(|class| class.right).sum();
        let named = self.judged.classes.iter().zip(&counts);
        Ok(MulticlassSummary {
            rows: rows.len() as u64,
            accuracy: right as f64 / rows.len() as f64,
            macro_recall: macro_average(Metric::MacroRecall, &counts)?,
            macro_precision: macro_average(Metric::MacroPrecision, &counts)?,
            macro_f1: macro_average(Metric::MacroF1, &counts)?,
            log_loss,
            brier,
            classes: named
                .map(|(class, counts)| ClassSummary {
                    class: class.clone(),
                    rows: counts.rows,
                    predicted: counts.predicted,
                    right: counts.right,
                })
                .collect(),
            positive,
        })
    }
}

/// What a row adds to log loss and Brier score; of two classes the declared one is looked at, or the second.
fn losses(row: &RowPrediction, truth: usize, positive: Option<usize>) -> Option<(f64, f64)> {
    match (row.said.scores.as_slice(), row.said.score) {
        ([], None) => None,
        ([], Some(score)) => {
            let is_positive = Some(truth) == positive;
            Some((log_loss_of_row(is_positive, score), brier_of_row(is_positive, score)))
        }
        ([_, second], _) => Some((log_loss_of_row(truth == 1, *second), brier_of_row(truth == 1, *second))),
        (all, _) => Some((log_loss_of_row(true, *all.get(truth)?), brier_of_classes(all, truth))),
    }
}

/// The mean over all rows, which all have a value or none.
fn mean_of(rows: &[JudgedRow], value: fn(&JudgedRow) -> Option<f64>) -> Result<Option<f64>, StatsError> {
    let values: Option<Vec<f64>> = rows.iter().map(value).collect();
    values.map(|values| mean(&values)).transpose()
}

fn one_class(class: &str, rows: &[JudgedRow], positive: usize) -> Result<OneClass, StatsError> {
    let labels: Vec<bool> = rows.iter().map(|row| row.truth == positive).collect();
    let scores: Option<Vec<f64>> = rows.iter().map(|row| row.score).collect();
    let count = |truth: bool, predicted: bool| {
        rows.iter().filter(|row| ((row.truth == positive), (row.predicted == positive)) == (truth, predicted)).count()
            as u64
    };
    Ok(OneClass {
        class: class.to_owned(),
        auc: scores.map(|scores| auc(&labels, &scores)).transpose()?.flatten(),
        confusion: [count(false, false), count(false, true), count(true, false), count(true, true)],
    })
}

/// Cuts the judged rows by each declared column and summarises every part, in the order of the declaration.
pub fn slices(
    spec: &EvaluationSpec,
    table: &Table,
    judged: &Judgements<'_>,
    rows: &[usize],
) -> Result<Vec<SliceSummary>, Problem> {
    let mut found = Vec::new();
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
            let metrics = judged.summary(places.into_iter())?;
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

    use stemma_core::record::DecidesBy;

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
                said: Said { predicted: (*predicted).to_owned(), score: *score, scores: scores.to_vec() },
            })
            .collect();
        Judgements::of(Some(judged), &rows).unwrap().overall().unwrap()
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
