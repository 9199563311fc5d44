//! What each row costs two answers.

use crate::binary::{brier_of_row, log_loss_of_row};
use crate::rows::{check_finite, check_length, check_rows};
use crate::{Binary, StatsError, mean};

/// What a predicted number costs beside the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NumberLoss {
    /// (y − ŷ)²
    Squared,
    /// |y − ŷ|
    Absolute,
}

/// What a score for one of two classes costs beside the true class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScoreLoss {
    /// 1 if the class that the threshold makes of the score is wrong, else 0.
    ZeroOne,
    /// See [`log_loss_of_row`].
    Log,
    /// See [`brier_of_row`].
    Brier,
}

/// The loss of an old and of a new answer in each of the same rows.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedLosses {
    old: Vec<f64>,
    new: Vec<f64>,
    residual_change: Option<f64>,
}

impl PairedLosses {
    pub fn of_numbers(
        loss: NumberLoss,
        targets: &[f64],
        predictions_old: &[f64],
        predictions_new: &[f64],
    ) -> Result<Self, StatsError> {
        check_length("old predictions", targets.len(), predictions_old.len())?;
        check_length("new predictions", targets.len(), predictions_new.len())?;
        for numbers in [targets, predictions_old, predictions_new] {
            check_finite(numbers)?;
        }
        let losses = |predictions: &[f64]| -> Vec<f64> {
            targets.iter().zip(predictions).map(|(target, prediction)| loss.of_row(*target, *prediction)).collect()
        };
        Self::new(losses(predictions_old), losses(predictions_new), Some((predictions_old, predictions_new)))
    }

    /// The scores are probabilities that a row is positive; only 0/1 loss looks at the threshold, as
    /// [`crate::BinaryMetrics::of`] does.
    pub fn of_scores(
        loss: ScoreLoss,
        labels: &[bool],
        (scores_old, scores_new): (&[f64], &[f64]),
        threshold: f64,
    ) -> Result<Self, StatsError> {
        check_length("old scores", labels.len(), scores_old.len())?;
        check_length("new scores", labels.len(), scores_new.len())?;
        let old = Binary::new(labels, scores_old, threshold)?;
        let new = Binary::new(labels, scores_new, threshold)?;
        let losses = |of: Binary<'_>| -> Vec<f64> {
            match loss {
                ScoreLoss::ZeroOne => of.hits().map(|hit| 1.0 - hit).collect(),
                ScoreLoss::Log => of.by_row(log_loss_of_row).collect(),
                ScoreLoss::Brier => of.by_row(brier_of_row).collect(),
            }
        };
        let said = |scores: &[f64]| -> Vec<f64> {
            match loss {
                ScoreLoss::ZeroOne => scores.iter().map(|score| f64::from(u8::from(*score > threshold))).collect(),
                ScoreLoss::Log | ScoreLoss::Brier => scores.to_vec(),
            }
        };
        Self::new(losses(old), losses(new), Some((&said(scores_old), &said(scores_new))))
    }

    /// Takes losses of any kind, such as those of many classes, of which there are no residuals.
    pub fn of_rows(old: Vec<f64>, new: Vec<f64>) -> Result<Self, StatsError> {
        Self::new(old, new, None)
    }

    fn new(old: Vec<f64>, new: Vec<f64>, predictions: Option<(&[f64], &[f64])>) -> Result<Self, StatsError> {
        check_rows(old.len())?;
        check_length("new losses", old.len(), new.len())?;
        check_finite(&old)?;
        check_finite(&new)?;
        // the truth cancels out
        let change = |(old, new): (&[f64], &[f64])| mean(&less(old, new));
        Ok(Self { old, new, residual_change: predictions.map(change).transpose()? })
    }

    pub fn rows(&self) -> usize {
        self.old.len()
    }

    /// Returns the losses of the old answer.
    pub fn losses_old(&self) -> &[f64] {
        &self.old
    }

    /// Returns the losses of the new answer.
    pub fn losses_new(&self) -> &[f64] {
        &self.new
    }

    /// Returns by how much each row costs less than before.
    pub fn improvements(&self) -> Vec<f64> {
        less(&self.old, &self.new)
    }

    /// Returns mean\[(y − ŷ_new) − (y − ŷ_old)\]: how much more the truth lies above what is predicted than before.
    ///
    /// An answer may cost less and lean more to one side: this says so. ŷ is the predicted number or probability, and
    /// with 0/1 loss the predicted class as 0 or 1. Nothing if the losses are all that is known.
    pub fn residual_change(&self) -> Option<f64> {
        self.residual_change
    }
}

impl NumberLoss {
    /// Returns what one row costs.
    pub fn of_row(self, target: f64, prediction: f64) -> f64 {
        let residual = target - prediction;
        match self {
            Self::Squared => residual * residual,
            Self::Absolute => residual.abs(),
        }
    }
}

fn less(old: &[f64], new: &[f64]) -> Vec<f64> {
    old.iter().zip(new).map(|(old, new)| old - new).collect()
}
