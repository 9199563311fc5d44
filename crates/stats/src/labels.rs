//! How well labels are found, of which a row may have several or none; the definitions are scikit-learn's for
//! indicator matrices.

use crate::average::{average, averaged};
use crate::metric::{Average, Measure, Pairing, Weighing};
use crate::ranking::Ranking;
use crate::rows::{check_finite, check_length, check_rows};
use crate::{ClassCounts, Metric, StatsError, Weighable};

/// Which labels each row has and was given, row after row: checked once, here.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    truth: &'a [bool],
    predicted: &'a [bool],
    labels: usize,
}

impl<'a> Labels<'a> {
    pub fn new(truth: &'a [bool], predicted: &'a [bool], labels: usize) -> Result<Self, StatsError> {
        let rows = rows_of(truth.len(), labels)?;
        check_length("predictions", rows * labels, predicted.len())?;
        Ok(Self { truth, predicted, labels })
    }

    /// Returns the counts of each label.
    pub fn counts(&self) -> Vec<ClassCounts> {
        self.weighted(|_| 1)
    }

    /// Returns one for each row all of whose labels are right, else zero: their mean is the accuracy.
    pub fn hits(&self) -> Vec<f64> {
        let rows = self.truth.chunks(self.labels).zip(self.predicted.chunks(self.labels));
        rows.map(|(truth, predicted)| f64::from(u8::from(truth == predicted))).collect()
    }

    fn weighted(&self, weight: impl Fn(usize) -> u32) -> Vec<ClassCounts> {
        let mut counts = vec![ClassCounts::default(); self.labels];
        for (at, (&truth, &predicted)) in self.truth.iter().zip(self.predicted).enumerate() {
            let (count, weight) = (&mut counts[at % self.labels], u64::from(weight(at / self.labels)));
            count.rows += weight * u64::from(truth);
            count.predicted += weight * u64::from(predicted);
            count.right += weight * u64::from(truth && predicted);
        }
        counts
    }
}

/// Predicted labels, and the average that is asked of them.
#[derive(Debug, Clone, Copy)]
pub struct AveragedLabels<'a> {
    labels: Labels<'a>,
    average: Average,
    measure: Measure,
}

impl<'a> AveragedLabels<'a> {
    pub fn new(metric: Metric, labels: Labels<'a>) -> Result<Self, StatsError> {
        let (average, measure) = averaged(metric)?;
        Ok(Self { labels, average, measure })
    }
}

impl Weighable for AveragedLabels<'_> {
    fn value(&self, weights: &[u32]) -> Option<f64> {
        average(self.average, self.measure, &self.labels.weighted(|row| weights[row]))
    }
}

/// Returns a macro, micro or weighted metric of the counts of labels, or nothing where it is a share of nothing:
/// the micro precision if nothing was predicted, and a weighted one if no row has a label.
///
/// All labels count in a macro average, also those of no row: they add zero to it.
pub fn average_of_labels(metric: Metric, counts: &[ClassCounts]) -> Result<Option<f64>, StatsError> {
    let (how, measure) = averaged(metric)?;
    Ok(average(how, measure, counts))
}

/// The AUC of each label against the rows without it, averaged over labels.
pub struct AucOfLabels {
    rankings: Vec<Ranking>,
    weighing: Weighing,
}

impl AucOfLabels {
    /// `scores` has one for each label, row after row.
    pub fn new(metric: Metric, truth: &[bool], scores: &[f64], labels: usize) -> Result<Self, StatsError> {
        let Metric::AucOver(Pairing::Rest, weighing) = metric else {
            return Err(metric.needs_other());
        };
        let rows = rows_of(truth.len(), labels)?;
        check_length("scores", rows * labels, scores.len())?;
        check_finite(scores)?;
        let ranking = |label: usize| {
            let at = |row: u32| row as usize * labels + label;
            Ranking::of((0..rows as u32).collect(), |row| truth[at(row)], |row| scores[at(row)])
        };
        Ok(Self { rankings: (0..labels).map(ranking).collect(), weighing })
    }
}

impl Weighable for AucOfLabels {
    fn value(&self, weights: &[u32]) -> Option<f64> {
        let each = self.rankings.iter().map(|ranking| Some((ranking.wins(weights).auc()?, ranking.positives(weights))));
        weighted_mean(&each.collect::<Option<Vec<_>>>()?, self.weighing)
    }
}

/// The mean of values that count alike or by their rows.
pub(crate) fn weighted_mean(values: &[(f64, u64)], weighing: Weighing) -> Option<f64> {
    let weight = |rows: u64| match weighing {
        Weighing::Alike => 1.0,
        Weighing::ByRows => rows as f64,
    };
    let whole: f64 = values.iter().map(|(_, rows)| weight(*rows)).sum();
    let parts = crate::sum::sum(values.iter().map(|(value, rows)| value * weight(*rows)));
    (whole > 0.0).then(|| parts / whole)
}

fn rows_of(cells: usize, labels: usize) -> Result<usize, StatsError> {
    let rows = cells.checked_div(labels).unwrap_or_default();
    check_rows(rows)?;
    check_length("cells of labels", rows * labels, cells)?;
    Ok(rows)
}
