//! Whether two versions differ by more than chance, on all rows and in slices: one family of tests, corrected by Holm.

use stemma_api::types::PairedTest;
use stemma_stats::{DeLong, Metric, NumberLoss, StatsError, holm};

use crate::model::evaluate::{Pair, losses::Losses, metrics::side::Side};

/// What a test of one p-value found.
struct Found {
    test: String,
    rows: u64,
    /// New less old.
    difference: f64,
    p_value: f64,
}

/// Tests of one comparison, as they are made.
#[derive(Default)]
pub struct Family {
    tests: Vec<PairedTest>,
    untested: Vec<String>,
    /// Metrics that no test fits, on all rows.
    without_test: Vec<String>,
}

impl Family {
    /// Tests a metric on all rows, or in a slice.
    pub fn test(&mut self, pair: &Pair<'_>, metric: Metric, slice: Option<&str>) {
        let place = slice.map(|slice| format!(" where {slice}")).unwrap_or_default();
        match paired_test(pair, metric) {
            Ok(Some(test)) => self.tests.push(PairedTest { slice: slice.map(str::to_owned), ..test }),
            Ok(None) => self.without_test.push(metric.to_string()),
            Err(error) => self.untested.push(format!("{metric}{place}: {error}")),
        }
    }

    pub fn leave_out(&mut self, why: String) {
        self.untested.push(why);
    }

    /// All tests with the values that Holm's method makes of them, and what was not tested.
    pub fn corrected(mut self) -> Result<(Vec<PairedTest>, Vec<String>), StatsError> {
        correct(self.tests.iter_mut().collect())?;
        self.without_test.sort();
        self.without_test.dedup();
        if !self.without_test.is_empty() {
            let metrics = self.without_test.join(", ");
            self.untested.insert(0, format!("{metrics}: no mean of one value a row, so no paired test fits"));
        }
        Ok((self.tests, self.untested))
    }
}

/// Adjusts the values of tests that were made together.
pub fn correct(tests: Vec<&mut PairedTest>) -> Result<(), StatsError> {
    let adjusted = holm(&tests.iter().map(|test| test.p_value).collect::<Vec<_>>())?;
    tests.into_iter().zip(adjusted).for_each(|(test, adjusted)| test.adjusted = adjusted);
    Ok(())
}

/// Tests a metric; nothing if no test fits it. The value is not adjusted.
pub fn paired_test(pair: &Pair<'_>, metric: Metric) -> Result<Option<PairedTest>, StatsError> {
    let Some(found) = test(pair, metric)? else { return Ok(None) };
    Ok(Some(PairedTest {
        metric: name(metric),
        slice: None,
        test: found.test,
        rows: found.rows,
        improvement: metric.improvement(0.0, found.difference),
        p_value: found.p_value,
        adjusted: found.p_value,
    }))
}

/// The metric by which slices and many versions are tested: the primary one, or what a row costs in its place.
pub fn tested_metric(pair: &Pair<'_>, losses: Option<&Losses>) -> Option<Metric> {
    has_test(pair, pair.primary).then_some(pair.primary).or(losses.map(|losses| losses.metric))
}

/// Whether a test of this kind fits a metric: it is the mean of one value a row, or an area under the curve.
fn has_test(pair: &Pair<'_>, metric: Metric) -> bool {
    matches!(test(pair, metric), Ok(Some(_)) | Err(StatsError::TooFewRows { .. } | StatsError::TooFewOfClass { .. }))
}

fn test(pair: &Pair<'_>, metric: Metric) -> Result<Option<Found>, StatsError> {
    match (pair.old.side(metric)?, pair.new.side(metric)?) {
        (Side::Each(old), Side::Each(new)) => of_values(&old, &new).map(Some),
        (Side::OneClass(labels, old), Side::OneClass(_, new)) => areas(metric, &labels, &old, &new).map(Some),
        (Side::Numbers(targets, old), Side::Numbers(_, new)) => {
            let loss = match metric {
                Metric::Mae => NumberLoss::Absolute,
                Metric::Rmse => NumberLoss::Squared,
                _ => return Ok(None),
            };
            let errors = |said: &[f64]| -> Vec<f64> {
                targets.iter().zip(said).map(|(target, said)| loss.of_row(*target, *said)).collect()
            };
            of_values(&errors(old), &errors(new)).map(Some)
        }
        _ => Ok(None),
    }
}

/// What is tested in the place of a metric whose own value is no mean.
fn name(metric: Metric) -> String {
    match metric {
        Metric::Rmse => "squared error".to_owned(),
        other => other.to_string(),
    }
}

fn of_values(old: &[f64], new: &[f64]) -> Result<Found, StatsError> {
    let found = stemma_stats::PairedTest::of(old, new)?;
    let stemma_stats::PairedTest { kind, p_value, difference, rows, .. } = found;
    Ok(Found { test: kind.to_string(), rows, difference, p_value })
}

fn areas(metric: Metric, labels: &[bool], old: &[f64], new: &[f64]) -> Result<Found, StatsError> {
    const CONFIDENCE: f64 = 0.95;
    let found = DeLong::of(labels, old, new, CONFIDENCE)?;
    // without a variance they rank alike, or both perfectly: nothing is there that chance could have made
    let p_value = match found.test {
        Some(test) => test.p_value,
        None if found.difference == 0.0 => 1.0,
        None => return Err(StatsError::Undefined { metric }),
    };
    Ok(Found { test: "delong".to_owned(), rows: labels.len() as u64, difference: found.difference, p_value })
}
