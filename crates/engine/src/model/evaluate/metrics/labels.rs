//! Rows that may have several labels, as their metrics see them.

use stemma_core::{
    Problem,
    metric::Task,
    record::{ClassJudgement, ClassSummary, LabelsSummary, Metrics, ScoreKind},
};
use stemma_stats::{AucOfLabels, AveragedLabels, Labels, Metric, StatsError, brier_of_row, log_loss_of_row, mean};

use super::{
    defined::{Computed, defined},
    side::Side,
};
use crate::model::evaluate::predictions::{RowPrediction, has_each};

/// Whether each row has each label, row after row.
pub struct JudgedLabels<'a> {
    judged: &'a ClassJudgement,
    truth: Vec<bool>,
    predicted: Vec<bool>,
    /// Empty if there are none.
    scores: Vec<f64>,
}

impl<'a> JudgedLabels<'a> {
    pub fn of<'r>(
        judged: &'a ClassJudgement,
        rows: impl IntoIterator<Item = &'r RowPrediction>,
    ) -> Result<Self, Problem> {
        let mut found = Self { judged, truth: Vec::new(), predicted: Vec::new(), scores: Vec::new() };
        for row in rows {
            let read = |text| has_each(&judged.classes, text);
            let labels = read(&row.label).zip(read(&row.said.predicted));
            let (truth, predicted) =
                labels.ok_or_else(|| Problem::invalid(format!("row {} names labels that there are not", row.row)))?;
            found.truth.extend(truth);
            found.predicted.extend(predicted);
            found.scores.extend(&row.said.scores);
        }
        Ok(found)
    }

    /// Some of the rows.
    pub fn part(&self, places: &[usize]) -> Self {
        fn pick<T: Copy>(of: &[T], places: &[usize], width: usize) -> Vec<T> {
            places.iter().flat_map(|place| of[place * width..(place + 1) * width].iter().copied()).collect()
        }
        let width = self.judged.classes.len();
        let scores = if self.scores.is_empty() { Vec::new() } else { pick(&self.scores, places, width) };
        Self {
            judged: self.judged,
            truth: pick(&self.truth, places, width),
            predicted: pick(&self.predicted, places, width),
            scores,
        }
    }

    pub fn row_count(&self) -> usize {
        self.truth.len() / self.judged.classes.len()
    }

    /// What a metric needs of these rows. A loss of a row is the mean over its labels.
    pub fn side(&self, metric: Metric) -> Result<Side<'_>, StatsError> {
        let (rows, labels) = (self.row_count(), self.judged.classes.len());
        let of_each = || Labels::new(&self.truth, &self.predicted, labels);
        match metric {
            Metric::Accuracy => Ok(Side::Each(of_each()?.hits())),
            Metric::Averaged(..) => {
                Ok(Side::Whole { rows, answers: Box::new(AveragedLabels::new(metric, of_each()?)?) })
            }
            Metric::LogLoss => self.losses(metric, log_loss_of_row),
            Metric::Brier => self.losses(metric, brier_of_row),
            Metric::AucOver(..) if self.scores.is_empty() => Err(StatsError::Undefined { metric }),
            _ => {
                let answers = AucOfLabels::new(metric, &self.truth, &self.scores, labels)?;
                Ok(Side::Whole { rows, answers: Box::new(answers) })
            }
        }
    }

    fn losses(&self, metric: Metric, loss: fn(bool, f64) -> f64) -> Result<Side<'_>, StatsError> {
        if self.judged.scores != ScoreKind::Probability {
            return Err(StatsError::Undefined { metric });
        }
        let labels = self.judged.classes.len();
        let rows = self.truth.chunks(labels).zip(self.scores.chunks(labels));
        let of_row = |(truth, scores): (&[bool], &[f64])| {
            let each = truth.iter().zip(scores).map(|(truth, score)| loss(*truth, *score));
            mean(&each.collect::<Vec<_>>())
        };
        rows.map(of_row).collect::<Result<_, _>>().map(Side::Each)
    }

    pub fn summary(&self, asked: &[String]) -> Result<Metrics, StatsError> {
        let labels = Labels::new(&self.truth, &self.predicted, self.judged.classes.len())?;
        let counts = self.judged.classes.iter().zip(labels.counts()).map(|(label, counts)| ClassSummary {
            class: label.clone(),
            rows: counts.rows,
            predicted: counts.predicted,
            right: counts.right,
        });
        let computed = Computed { task: Task::Labels, names_positive: false, asked, apart: &["accuracy"] };
        Ok(Metrics::Labels(LabelsSummary {
            rows: self.row_count() as u64,
            accuracy: mean(&labels.hits())?,
            labels: counts.collect(),
            more: defined(computed, |_| true, |metric| self.side(metric))?,
        }))
    }
}
