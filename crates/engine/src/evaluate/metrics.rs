//! Metrics of scored rows, overall and by slice.

use std::collections::BTreeMap;

use stemma_core::{
    Problem,
    policy::{EvaluationSpec, SliceSpec},
    record::{BinarySummary, SliceSummary},
};
use stemma_stats::{BinaryMetrics, DEFAULT_THRESHOLD};

use super::score::Scored;
use crate::table::Table;

/// Most slices in one report; a column with more values than this is no slice.
const SLICES_MAX: usize = 200;

/// Summarises some scored rows; `None` of them would be an error of the caller.
pub fn summary(labels: &[bool], scores: &[f64]) -> Result<BinarySummary, Problem> {
    let metrics = BinaryMetrics::of(labels, scores, DEFAULT_THRESHOLD)
        .map_err(|error| Problem::invalid(format!("the metrics can't be computed: {error}")))?;
    let confusion = metrics.confusion;
    Ok(BinarySummary {
        rows: labels.len() as u64,
        positives: labels.iter().filter(|label| **label).count() as u64,
        accuracy: metrics.accuracy,
        auc: metrics.auc,
        log_loss: metrics.log_loss,
        brier: metrics.brier,
        confusion: [confusion.tn, confusion.fp, confusion.fn_, confusion.tp],
    })
}

/// Returns a metric of a summary by its name.
pub fn metric_value(summary: &BinarySummary, metric: &str) -> Option<f64> {
    match metric {
        "auc" => summary.auc,
        "accuracy" => Some(summary.accuracy),
        "log_loss" => Some(summary.log_loss),
        "brier" => Some(summary.brier),
        _ => None,
    }
}

/// Cuts the scored rows by each declared column and summarises every part, in the order of the declaration.
pub fn slices(spec: &EvaluationSpec, table: &Table, labels: &[bool], scored: &[Scored]) -> Result<Vec<SliceSummary>, Problem> {
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
            let labels: Vec<bool> = indexes.iter().map(|index| labels[*index]).collect();
            let scores: Vec<f64> = indexes.iter().map(|index| scored[*index].score).collect();
            found.push(SliceSummary {
                column: slice.column().to_owned(),
                value,
                metrics: summary(&labels, &scores)?,
            });
        }
    }
    Ok(found)
}

/// The part a cell falls into: an order among the parts of its column, and a name.
fn part_of(slice: &SliceSpec, cell: &str) -> (usize, String) {
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
