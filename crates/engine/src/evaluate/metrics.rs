//! Metrics of scored rows, overall and by slice.

use std::collections::BTreeMap;

use stemma_core::{
    Problem,
    policy::{EvaluationSpec, SliceSpec},
    record::{BinarySummary, Metrics, RegressionSummary, SliceSummary},
};
use stemma_stats::{BinaryMetrics, DEFAULT_THRESHOLD, RegressionMetrics, StatsError};

use super::score::Scored;
use crate::table::Table;

/// Most slices in one report; a column with more values than this is no slice.
const SLICES_MAX: usize = 200;

/// One row as the metrics see it.
#[derive(Debug, Clone, Copy)]
pub struct Judged {
    /// The row is of the positive class.
    pub positive: bool,
    /// Probability of the positive class.
    pub score: f64,
    /// The model names the positive class. At equal probabilities that is its first class, so the score can't say.
    pub predicted: bool,
}

/// What is known of all rows, by the kind of target.
pub enum Judgements {
    Classes(Vec<Judged>),
    /// The true and the predicted number.
    Numbers(Vec<(f64, f64)>),
}

impl Judgements {
    /// The metrics of some rows, by their places.
    fn summary(&self, places: impl Iterator<Item = usize>) -> Result<Metrics, Problem> {
        match self {
            Self::Classes(rows) => {
                let rows: Vec<Judged> = places.map(|place| rows[place]).collect();
                summary(&rows).map(Metrics::Binary)
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
            Self::Classes(rows) => rows.len(),
            Self::Numbers(rows) => rows.len(),
        };
        self.summary(0..rows)
    }
}

fn not_computed(error: StatsError) -> Problem {
    Problem::invalid(format!("the metrics can't be computed: {error}"))
}

/// Summarises some rows; accuracy and confusion are those of the predicted classes.
pub fn summary(rows: &[Judged]) -> Result<BinarySummary, Problem> {
    let labels: Vec<bool> = rows.iter().map(|row| row.positive).collect();
    let scores: Vec<f64> = rows.iter().map(|row| row.score).collect();
    let metrics = BinaryMetrics::of(&labels, &scores, DEFAULT_THRESHOLD).map_err(not_computed)?;
    let count = |positive: bool, predicted: bool| {
        rows.iter().filter(|row| row.positive == positive && row.predicted == predicted).count() as u64
    };
    let confusion = [count(false, false), count(false, true), count(true, false), count(true, true)];
    Ok(BinarySummary {
        rows: metrics.rows,
        positives: metrics.positives,
        accuracy: (confusion[0] + confusion[3]) as f64 / metrics.rows as f64,
        auc: metrics.auc,
        log_loss: metrics.log_loss,
        brier: metrics.brier,
        confusion,
    })
}

/// Cuts the scored rows by each declared column and summarises every part, in the order of the declaration.
pub fn slices(
    spec: &EvaluationSpec,
    table: &Table,
    judged: &Judgements,
    scored: &[Scored],
) -> Result<Vec<SliceSummary>, Problem> {
    let mut found = Vec::new();
    for slice in &spec.slices {
        let column = table.column(slice.column())?;
        let mut parts: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
        for (index, one) in scored.iter().enumerate() {
            let cell = table.rows[one.row].get(column).unwrap_or_default();
            parts.entry(part_of(slice, cell)).or_default().push(index);
        }
        if found.len() + parts.len() > SLICES_MAX {
            let message = format!("slicing by `{}` gives more than {SLICES_MAX} slices", slice.column());
            return Err(Problem::invalid(message).hint("use `{ column = …, bins = […] }` for numbers"));
        }
        for ((_, value), indexes) in parts {
            let metrics = judged.summary(indexes.into_iter())?;
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

    #[test]
    fn a_tie_counts_as_the_class_that_the_model_names() {
        let tie = Judged { positive: true, score: 0.5, predicted: true };
        let clear = Judged { positive: false, score: 0.1, predicted: false };
        let found = summary(&[tie, clear]).unwrap();
        assert_eq!((found.accuracy, found.confusion), (1.0, [1, 0, 0, 1]));
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
