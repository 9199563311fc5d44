//! How good scores are at telling two classes apart; the definitions are scikit-learn's.

use crate::StatsError;
use crate::ranking::Ranking;
use crate::rows::{check_finite, check_length, check_rows};
use crate::sum::sum;

/// The threshold of a classifier that answers with the likelier class.
pub const DEFAULT_THRESHOLD: f64 = 0.5;

/// Labels and scores that belong together: checked once, here.
#[derive(Debug, Clone, Copy)]
pub struct Binary<'a> {
    labels: &'a [bool],
    scores: &'a [f64],
    threshold: f64,
}

/// How many rows of each class were called what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confusion {
    pub tn: u64,
    pub fp: u64,
    pub fn_: u64,
    pub tp: u64,
}

/// All metrics of one list of scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BinaryMetrics {
    pub rows: u64,
    pub positives: u64,
    /// The share of rows whose class is the predicted one, at the threshold.
    pub accuracy: f64,
    /// The area under the ROC curve; nothing if all rows are of one class.
    pub auc: Option<f64>,
    pub log_loss: f64,
    pub brier: f64,
    pub confusion: Confusion,
}

impl BinaryMetrics {
    /// Returns the metrics of the scores (the probability that a row is positive).
    ///
    /// A row is predicted positive if its score is *above* the threshold. So a score of exactly 0.5
    /// at the default threshold is negative, as in scikit-learn, where a classifier answers with
    /// the likelier class and takes the first one when both are equally likely.
    pub fn of(labels: &[bool], scores: &[f64], threshold: f64) -> Result<Self, StatsError> {
        Ok(Binary::new(labels, scores, threshold)?.metrics())
    }
}

impl<'a> Binary<'a> {
    pub fn new(labels: &'a [bool], scores: &'a [f64], threshold: f64) -> Result<Self, StatsError> {
        check_rows(labels.len())?;
        check_length("scores", labels.len(), scores.len())?;
        for (row, &value) in scores.iter().enumerate() {
            check_score(row, value)?;
        }
        if !(0.0..=1.0).contains(&threshold) {
            return Err(StatsError::Threshold { threshold });
        }
        Ok(Self { labels, scores, threshold })
    }

    pub fn metrics(&self) -> BinaryMetrics {
        let confusion = self.confusion();
        BinaryMetrics {
            rows: self.labels.len() as u64,
            positives: confusion.tp + confusion.fn_,
            accuracy: confusion.accuracy(),
            auc: self.auc(),
            log_loss: self.log_loss(),
            brier: self.brier(),
            confusion,
        }
    }

    pub fn confusion(&self) -> Confusion {
        let predicted = self.scores.iter().map(|&score| score > self.threshold);
        Confusion::count(self.labels.iter().copied().zip(predicted))
    }

    pub fn accuracy(&self) -> f64 {
        self.confusion().accuracy()
    }

    /// Returns the area under the ROC curve, ties counting half, or nothing if one class is absent.
    pub fn auc(&self) -> Option<f64> {
        Ranking::new(self.labels, self.scores).wins(&vec![1; self.labels.len()]).auc()
    }

    /// Returns the mean of minus the natural logarithm of the probability given to the true class.
    ///
    /// That probability is clipped by the machine epsilon, so that one confident mistake costs
    /// about 36 and isn't infinite.
    pub fn log_loss(&self) -> f64 {
        self.mean(log_loss_of_row)
    }

    /// Returns the mean squared distance of the score from the label (0 or 1).
    pub fn brier(&self) -> f64 {
        self.mean(brier_of_row)
    }

    /// Returns one value a row, whose mean is the metric.
    pub(crate) fn by_row(&self, of_row: fn(bool, f64) -> f64) -> impl Iterator<Item = f64> {
        let rows = self.labels.iter().zip(self.scores);
        rows.map(move |(&label, &score)| of_row(label, score))
    }

    /// Returns one for each row whose class is the predicted one, else zero.
    pub(crate) fn hits(&self) -> impl Iterator<Item = f64> {
        let rows = self.labels.iter().zip(self.scores);
        rows.map(|(&label, &score)| f64::from(u8::from(label == (score > self.threshold))))
    }

    fn mean(&self, of_row: fn(bool, f64) -> f64) -> f64 {
        sum(self.by_row(of_row)) / self.labels.len() as f64
    }
}

impl Confusion {
    fn count(rows: impl Iterator<Item = (bool, bool)>) -> Self {
        let mut confusion = Self { tn: 0, fp: 0, fn_: 0, tp: 0 };
        for (label, predicted) in rows {
            match (label, predicted) {
                (false, false) => confusion.tn += 1,
                (false, true) => confusion.fp += 1,
                (true, false) => confusion.fn_ += 1,
                (true, true) => confusion.tp += 1,
            }
        }
        confusion
    }

    fn accuracy(&self) -> f64 {
        let right = self.tn + self.tp;
        right as f64 / (right + self.fp + self.fn_) as f64
    }
}

/// Returns the area under the ROC curve of scores of any scale, ties counting half, or nothing if one class is absent.
pub fn auc(labels: &[bool], scores: &[f64]) -> Result<Option<f64>, StatsError> {
    Ok(ranking(labels, scores)?.wins(&vec![1; labels.len()]).auc())
}

/// Ranks rows by scores that may have any scale.
pub(crate) fn ranking(labels: &[bool], scores: &[f64]) -> Result<Ranking, StatsError> {
    check_rows(labels.len())?;
    check_length("scores", labels.len(), scores.len())?;
    check_finite(scores)?;
    Ok(Ranking::new(labels, scores))
}

/// Returns the share of rows whose predicted class is the true one.
pub fn accuracy(labels: &[bool], predicted: &[bool]) -> Result<f64, StatsError> {
    check_rows(labels.len())?;
    check_length("predictions", labels.len(), predicted.len())?;
    let rows = labels.iter().copied().zip(predicted.iter().copied());
    Ok(Confusion::count(rows).accuracy())
}

/// Returns what one row adds to the log loss, see [`Binary::log_loss`].
pub fn log_loss_of_row(label: bool, score: f64) -> f64 {
    let of_true_class = if label { score } else { 1.0 - score };
    -libm::log(of_true_class.clamp(f64::EPSILON, 1.0 - f64::EPSILON))
}

/// Returns what one row adds to the Brier score, see [`Binary::brier`].
pub fn brier_of_row(label: bool, score: f64) -> f64 {
    let distance = score - f64::from(u8::from(label));
    distance * distance
}

fn check_score(row: usize, value: f64) -> Result<(), StatsError> {
    if !value.is_finite() {
        return Err(StatsError::NotFinite { row, value });
    }
    if !(0.0..=1.0).contains(&value) {
        return Err(StatsError::ScoreOutOfRange { row, value });
    }
    Ok(())
}
