//! Rows of a classifier, as all its metrics see them.

use stemma_core::{
    Problem,
    metric::Task,
    record::{
        BinarySummary, CalibrationBin, ClassJudgement, ClassSummary, Metrics, MulticlassSummary, OneClass, ScoreKind,
    },
};
use stemma_stats::{
    AucOfClasses, Average, AveragedClasses, Calibration, ClassScores, Classes, Measure, Metric, StatsError,
    average_of_classes, brier_of_classes, brier_of_row, log_loss_of_row, mean,
};

use super::{
    defined::{Computed, defined},
    side::Side,
};
use crate::model::evaluate::predictions::RowPrediction;

/// What the summaries of classifiers have fields for.
const APART: [&str; 7] = ["accuracy", "auc", "log_loss", "brier", "macro_recall", "macro_precision", "macro_f1"];

/// Rows of a classifier; classes are numbered in the model's order.
pub struct JudgedClasses<'a> {
    judged: &'a ClassJudgement,
    positive: Option<usize>,
    truth: Vec<usize>,
    predicted: Vec<usize>,
    /// Of the declared class.
    score: Option<Vec<f64>>,
    /// Of all classes, row after row.
    scores: Option<Vec<f64>>,
    /// Absent where the scores are no probabilities.
    losses: Option<Losses>,
}

/// What of an answer is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Decision,
    Probability,
}

/// What each row adds to a mean.
struct Losses {
    log_loss: Vec<f64>,
    brier: Vec<f64>,
}

impl<'a> JudgedClasses<'a> {
    pub fn of<'r>(
        judged: &'a ClassJudgement,
        rows: impl IntoIterator<Item = &'r RowPrediction>,
    ) -> Result<Self, Problem> {
        let place = |class: &str| {
            let place = judged.classes.iter().position(|known| known == class);
            place.ok_or_else(|| Problem::invalid(format!("`{class}` is no class of the model")))
        };
        let positive = judged.positive.as_deref().map(place).transpose()?;
        let (mut truth, mut predicted) = (Vec::new(), Vec::new());
        let (mut score, mut scores) = (Some(Vec::new()), Some(Vec::new()));
        for row in rows {
            truth.push(place(&row.label)?);
            predicted.push(place(&row.said.predicted)?);
            push(&mut score, row.said.score);
            extend(&mut scores, of_all_classes(judged, positive, row));
        }
        let mut all = Self { judged, positive, truth, predicted, score, scores, losses: None };
        all.losses = all.losses_of_rows();
        Ok(all)
    }

    /// Some of the rows.
    pub fn part(&self, places: &[usize]) -> Self {
        let pick = |of: &[f64]| -> Vec<f64> { places.iter().map(|place| of[*place]).collect() };
        let classes = self.judged.classes.len();
        let wide = |of: &Vec<f64>| -> Vec<f64> {
            places.iter().flat_map(|place| &of[place * classes..(place + 1) * classes]).copied().collect()
        };
        Self {
            judged: self.judged,
            positive: self.positive,
            truth: places.iter().map(|place| self.truth[*place]).collect(),
            predicted: places.iter().map(|place| self.predicted[*place]).collect(),
            score: self.score.as_deref().map(pick),
            scores: self.scores.as_ref().map(wide),
            losses: self
                .losses
                .as_ref()
                .map(|losses| Losses { log_loss: pick(&losses.log_loss), brier: pick(&losses.brier) }),
        }
    }

    pub fn row_count(&self) -> usize {
        self.truth.len()
    }

    /// Of two classes the losses are those of the declared one, or of the second.
    fn losses_of_rows(&self) -> Option<Losses> {
        let scores = self.scores.as_ref().filter(|_| self.judged.scores == ScoreKind::Probability)?;
        let one = self.positive.unwrap_or(1);
        let loss = |(row, truth): (&[f64], &usize)| match row.len() {
            2 => (log_loss_of_row(*truth == one, row[one]), brier_of_row(*truth == one, row[one])),
            _ => (log_loss_of_row(true, row[*truth]), brier_of_classes(row, *truth)),
        };
        let (log_loss, brier) = scores.chunks(self.judged.classes.len()).zip(&self.truth).map(loss).unzip();
        Some(Losses { log_loss, brier })
    }

    /// What a metric needs of these rows.
    pub fn side(&self, metric: Metric) -> Result<Side<'_>, StatsError> {
        let undefined = || StatsError::Undefined { metric };
        let classes = self.judged.classes.len();
        let scores = || {
            let scores = self.scores.as_deref().ok_or_else(undefined)?;
            ClassScores::new(&self.truth, scores, classes)
        };
        let rows = self.row_count();
        match metric {
            Metric::Accuracy => {
                let hits =
                    self.truth.iter().zip(&self.predicted).map(|(truth, said)| f64::from(u8::from(truth == said)));
                Ok(Side::Each(hits.collect()))
            }
            Metric::Averaged(..) => {
                let answers = AveragedClasses::new(metric, Classes::new(&self.truth, &self.predicted, classes)?)?;
                Ok(Side::Whole { rows, answers: Box::new(answers) })
            }
            Metric::LogLoss => Ok(Side::Each(self.losses.as_ref().ok_or_else(undefined)?.log_loss.clone())),
            Metric::Brier => Ok(Side::Each(self.losses.as_ref().ok_or_else(undefined)?.brier.clone())),
            Metric::Top(places) => scores()?.top_hits(places).map(Side::Each).ok_or_else(undefined),
            Metric::AucOver(..) => Ok(Side::Whole { rows, answers: Box::new(AucOfClasses::new(metric, scores()?)?) }),
            Metric::Ece => {
                let (was_so, probabilities) = self.probabilities().ok_or_else(undefined)?;
                Ok(Side::Whole { rows, answers: Box::new(Calibration::new(was_so, probabilities)?) })
            }
            _ => self.side_of_one_class(metric),
        }
    }

    fn side_of_one_class(&self, metric: Metric) -> Result<Side<'_>, StatsError> {
        let undefined = || StatsError::Undefined { metric };
        let (labels, scores) = (self.are_positive().ok_or_else(undefined)?, self.score.clone().ok_or_else(undefined)?);
        if metric == Metric::Auc {
            return Ok(Side::OneClass(labels, scores));
        }
        let answers = stemma_stats::OneClass::new(metric, &labels, &scores)?;
        Ok(Side::Whole { rows: labels.len(), answers: Box::new(answers) })
    }

    /// Whether each row is of the declared class.
    fn are_positive(&self) -> Option<Vec<bool>> {
        let positive = self.positive?;
        Some(self.truth.iter().map(|truth| *truth == positive).collect())
    }

    /// Of two classes, one of which is declared: whether each row is of it, and what was said of that as a number: the
    /// decision as 0 or 1, or the probability.
    pub fn as_numbers(&self, of: Answer) -> Option<(Vec<bool>, Vec<f64>)> {
        let positive = self.positive.filter(|_| self.judged.classes.len() == 2)?;
        let said = match of {
            Answer::Decision => self.predicted.iter().map(|said| f64::from(u8::from(*said == positive))).collect(),
            Answer::Probability => {
                let scores = self.scores.as_ref().filter(|_| self.judged.scores == ScoreKind::Probability)?;
                scores.chunks(2).map(|row| row[positive]).collect()
            }
        };
        Some((self.are_positive()?, said))
    }

    /// What was so, and how probable it was said to be: that a row is of the declared one of two classes, or else that
    /// the decided class is the true one.
    fn probabilities(&self) -> Option<(Vec<bool>, Vec<f64>)> {
        let scores = self.scores.as_ref().filter(|_| self.judged.scores == ScoreKind::Probability)?;
        let classes = self.judged.classes.len();
        let asked = |row: usize| match self.positive {
            Some(positive) if classes == 2 => positive,
            _ => self.predicted[row],
        };
        let of_row = |row: usize| (self.truth[row] == asked(row), scores[row * classes + asked(row)]);
        Some((0..self.row_count()).map(of_row).unzip())
    }

    /// The bins of these rows that have some.
    pub fn calibration(&self) -> Result<Vec<CalibrationBin>, StatsError> {
        let Some((was_so, probabilities)) = self.probabilities() else {
            return Ok(Vec::new());
        };
        let bins = Calibration::new(was_so, probabilities)?.bins().into_iter();
        let bins = bins.map(|bin| CalibrationBin {
            low: bin.low,
            high: bin.high,
            rows: bin.rows,
            said: bin.said,
            was: bin.was,
        });
        Ok(bins.collect())
    }

    pub fn summary(&self, asked: &[String]) -> Result<Metrics, StatsError> {
        let one = self.positive.map(|positive| self.one_class(positive)).transpose()?;
        let (log_loss, brier) = match &self.losses {
            Some(losses) => (Some(mean(&losses.log_loss)?), Some(mean(&losses.brier)?)),
            None => (None, None),
        };
        let computed = Computed { task: Task::Classes, names_positive: self.positive.is_some(), asked, apart: &APART };
        let more = defined(computed, |name| self.judged.why_undefined(name).is_none(), |metric| self.side(metric))?;
        let rows = self.row_count() as u64;
        match one {
            Some(OneClass { auc, confusion, .. }) if self.judged.classes.len() == 2 => {
                Ok(Metrics::Binary(BinarySummary {
                    rows,
                    positives: confusion[2] + confusion[3],
                    accuracy: (confusion[0] + confusion[3]) as f64 / rows as f64,
                    auc,
                    log_loss,
                    brier,
                    confusion,
                    more,
                }))
            }
            positive => {
                let all = self.summary_of_all()?;
                Ok(Metrics::Multiclass(MulticlassSummary { log_loss, brier, positive, more, ..all }))
            }
        }
    }

    fn summary_of_all(&self) -> Result<MulticlassSummary, StatsError> {
        let counts = Classes::new(&self.truth, &self.predicted, self.judged.classes.len())?.counts();
        let right: u64 = counts.iter().map(|class| class.right).sum();
        let rows = self.row_count() as u64;
        let averaged = |measure| average_of_classes(Metric::Averaged(Average::Macro, measure), &counts);
        let named = self.judged.classes.iter().zip(&counts).map(|(class, counts)| ClassSummary {
            class: class.clone(),
            rows: counts.rows,
            predicted: counts.predicted,
            right: counts.right,
        });
        Ok(MulticlassSummary {
            rows,
            accuracy: right as f64 / rows as f64,
            macro_recall: averaged(Measure::Recall)?,
            macro_precision: averaged(Measure::Precision)?,
            macro_f1: averaged(Measure::F1)?,
            log_loss: None,
            brier: None,
            classes: named.collect(),
            positive: None,
            more: Default::default(),
        })
    }

    fn one_class(&self, positive: usize) -> Result<OneClass, StatsError> {
        let count = |truth: bool, predicted: bool| {
            let rows = self.truth.iter().zip(&self.predicted);
            rows.filter(|(is, said)| ((**is == positive), (**said == positive)) == (truth, predicted)).count() as u64
        };
        let auc = match self.side_of_one_class(Metric::Auc) {
            Ok(side) => side.value(Metric::Auc)?,
            Err(StatsError::Undefined { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(OneClass {
            class: self.judged.classes[positive].clone(),
            auc,
            confusion: [count(false, false), count(false, true), count(true, false), count(true, true)],
        })
    }
}

/// The scores of all classes of a row; of two classes the declared one's says that of the other.
fn of_all_classes(judged: &ClassJudgement, positive: Option<usize>, row: &RowPrediction) -> Option<Vec<f64>> {
    let scores = &row.said.scores;
    if scores.len() == judged.classes.len() {
        return Some(scores.clone());
    }
    let (score, positive) = row.said.score.zip(positive.filter(|_| judged.classes.len() == 2))?;
    let other = if judged.scores == ScoreKind::Probability { 1.0 - score } else { -score };
    Some(if positive == 0 { vec![score, other] } else { vec![other, score] })
}

/// A column has a value in every row, or is none.
fn push(column: &mut Option<Vec<f64>>, value: Option<f64>) {
    match (column.as_mut(), value) {
        (Some(column), Some(value)) => column.push(value),
        _ => *column = None,
    }
}

fn extend(column: &mut Option<Vec<f64>>, values: Option<Vec<f64>>) {
    match (column.as_mut(), values) {
        (Some(column), Some(values)) => column.extend(values),
        _ => *column = None,
    }
}
