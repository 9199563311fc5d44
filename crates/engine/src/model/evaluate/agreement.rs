//! How far two models agree on the rows of one evaluation, overall and slice by slice.

use std::collections::{BTreeMap, HashMap};

use stemma_core::{
    Problem,
    record::{ClassJudgement, ScoreKind},
};

use super::{
    evaluation::{Evaluation, EvaluationData},
    metrics::part_of,
    predictions::Said,
};

/// Most that the probability of one row may differ between two models that behave the same; for a predicted number
/// its share of the number.
pub const SCORE_DIFFERENCE_MAX: f64 = 0.01;
/// Largest share of rows whose predicted class may differ, overall and in each slice.
pub const FLIP_RATE_MAX: f64 = 0.001;

/// How far two models agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    pub rows: u64,
    /// Rows whose predicted class differs, or whose predicted number differs by more than the tolerance.
    pub flips: u64,
    pub score_difference_max: f64,
    /// The slice with the largest share of flips, if there is any.
    pub worst_slice: Option<SliceFlips>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SliceFlips {
    /// As in `foreign_worker = no`.
    pub slice: String,
    pub rows: u64,
    pub flips: u64,
}

impl Agreement {
    /// Every row has the same probability, to the last bit.
    pub fn is_exact(&self) -> bool {
        self.flips == 0 && self.score_difference_max == 0.0
    }

    pub fn is_within_tolerance(&self) -> bool {
        let rate = |flips: u64, rows: u64| flips as f64 / rows.max(1) as f64;
        self.score_difference_max <= SCORE_DIFFERENCE_MAX
            && rate(self.flips, self.rows) <= FLIP_RATE_MAX
            && self.worst_slice.as_ref().is_none_or(|slice| rate(slice.flips, slice.rows) <= FLIP_RATE_MAX)
    }
}

/// Compares two evaluations on the same data row by row.
pub fn agreement(data: &EvaluationData, one: &Evaluation, two: &Evaluation) -> Result<Agreement, Problem> {
    let other: HashMap<u64, _> = two.predictions.iter().map(|row| (row.row, row)).collect();
    if other.len() != one.predictions.len() {
        return Err(Problem::invalid("the two evaluations are not of the same rows"));
    }
    let mut agreement = Agreement { rows: 0, flips: 0, score_difference_max: 0.0, worst_slice: None };
    let mut slices: BTreeMap<(usize, usize, String), (u64, u64)> = BTreeMap::new();
    for row in &one.predictions {
        let Some(again) = other.get(&row.row) else {
            return Err(Problem::invalid("the two evaluations are not of the same rows"));
        };
        let difference = score_difference(&row.said, &again.said, one.report.judged.as_ref());
        let flipped = match one.report.judged.is_some() {
            true => row.said.predicted != again.said.predicted,
            false => difference > SCORE_DIFFERENCE_MAX,
        };
        let flipped = u64::from(flipped);
        agreement.rows += 1;
        agreement.flips += flipped;
        if !row.said.is_bit_equal(&again.said) {
            agreement.score_difference_max = agreement.score_difference_max.max(difference);
        }
        for (place, slice) in data.spec.slices.iter().enumerate() {
            let at = usize::try_from(row.row).ok().filter(|row| *row < data.table.row_count());
            let cell = at.zip(data.table.column(slice.column()).ok());
            let cell = cell.map_or("", |(row, column)| data.table.cell(row, column));
            let (order, part) = part_of(slice, cell);
            let counted = slices.entry((place, order, part)).or_default();
            *counted = (counted.0 + 1, counted.1 + flipped);
        }
    }
    let rate = |(rows, flips): &(u64, u64)| *flips as f64 / (*rows).max(1) as f64;
    let worst = slices.iter().filter(|(_, counted)| counted.1 > 0);
    let worst = worst.max_by(|a, b| rate(a.1).total_cmp(&rate(b.1)));
    agreement.worst_slice = worst.map(|((place, _, part), (rows, flips))| SliceFlips {
        slice: format!("{} = {part}", data.spec.slices[*place].column()),
        rows: *rows,
        flips: *flips,
    });
    Ok(agreement)
}

/// The largest difference of what two models said of a row, in the scale of its numbers.
fn score_difference(one: &Said, two: &Said, judged: Option<&ClassJudgement>) -> f64 {
    let scores = |said: &Said| -> Vec<f64> { said.score.into_iter().chain(said.scores.iter().copied()).collect() };
    let (one, two) = (scores(one), scores(two));
    if one.len() != two.len() {
        return f64::INFINITY;
    }
    // what is no probability has no scale of its own: the larger of the two is theirs
    let has_scale = judged.is_some_and(|judged| judged.scores == ScoreKind::Probability);
    let scale = |a: f64, b: f64| if has_scale { 1.0 } else { a.abs().max(b.abs()).max(f64::MIN_POSITIVE) };
    let differences = one.iter().zip(&two).map(|(a, b)| (a - b).abs() / scale(*a, *b));
    // NaN is never within a tolerance
    differences.map(|difference| if difference.is_nan() { f64::INFINITY } else { difference }).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_slice_that_flips_is_not_hidden_by_many_rows() {
        let flips = |slice_rows: u64, flips: u64| Agreement {
            rows: 100_000,
            flips,
            score_difference_max: 0.001,
            worst_slice: Some(SliceFlips { slice: "sex = f".into(), rows: slice_rows, flips }),
        };
        assert!(flips(50_000, 1).is_within_tolerance());
        assert!(!flips(100, 1).is_within_tolerance());
        let far = Agreement { score_difference_max: 0.02, ..flips(50_000, 0) };
        assert!(!far.is_within_tolerance());
    }
}
