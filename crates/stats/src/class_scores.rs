//! How well the scores of many classes order them; the definitions are scikit-learn's.

use crate::labels::weighted_mean;
use crate::metric::{Pairing, Weighing};
use crate::ranking::Ranking;
use crate::rows::{check_finite, check_length, check_rows};
use crate::{Metric, StatsError, Weighable};

/// Of more classes there are too many pairs.
pub const PAIRED_CLASSES_MAX: usize = 32;

/// The score of every class in every row, row after row: checked once, here.
#[derive(Debug, Clone, Copy)]
pub struct ClassScores<'a> {
    truth: &'a [usize],
    scores: &'a [f64],
    classes: usize,
}

impl<'a> ClassScores<'a> {
    pub fn new(truth: &'a [usize], scores: &'a [f64], classes: usize) -> Result<Self, StatsError> {
        check_rows(truth.len())?;
        if let Some(row) = truth.iter().position(|class| *class >= classes) {
            return Err(StatsError::NoClass { row, class: truth[row], classes });
        }
        check_length("scores", truth.len() * classes, scores.len())?;
        check_finite(scores)?;
        Ok(Self { truth, scores, classes })
    }

    /// Returns one for each row whose true class is among the `places` with the greatest scores, else zero; nothing if
    /// that is always so, or if there are two classes, of which a threshold decides.
    ///
    /// Of equal scores the later class comes first, as in scikit-learn's `top_k_accuracy_score`.
    pub fn top_hits(&self, places: u32) -> Option<Vec<f64>> {
        if self.classes <= 2 || places as usize >= self.classes {
            return None;
        }
        let is_before = |scores: &[f64], class: usize, truth: usize| {
            scores[class] > scores[truth] || (scores[class] == scores[truth] && class > truth)
        };
        let hit = |(scores, &truth): (&[f64], &usize)| {
            let before = (0..self.classes).filter(|class| is_before(scores, *class, truth)).count();
            f64::from(u8::from(before < places as usize))
        };
        Some(self.scores.chunks(self.classes).zip(self.truth).map(hit).collect())
    }

    fn score(&self, row: u32, class: usize) -> f64 {
        self.scores[row as usize * self.classes + class]
    }

    fn class(&self, row: u32) -> usize {
        self.truth[row as usize]
    }
}

/// The AUC of all classes, each against the rest or each pair of them.
///
/// Nothing if a class has no row: scikit-learn refuses that for the rest, and leaves its pairs out unseen.
pub struct AucOfClasses {
    /// The rankings whose mean is one value: a class against the rest, or a pair from both sides.
    parts: Vec<Vec<Ranking>>,
    pairing: Pairing,
    weighing: Weighing,
}

impl AucOfClasses {
    pub fn new(metric: Metric, scores: ClassScores<'_>) -> Result<Self, StatsError> {
        let Metric::AucOver(pairing, weighing) = metric else {
            return Err(metric.needs_other());
        };
        let classes = scores.classes;
        if pairing == Pairing::One && classes > PAIRED_CLASSES_MAX {
            return Err(StatsError::TooManyClasses { metric, classes, max: PAIRED_CLASSES_MAX });
        }
        let parts = match pairing {
            Pairing::Rest => (0..classes).map(|class| vec![against_rest(&scores, class)]).collect(),
            Pairing::One => {
                let pairs = (0..classes).flat_map(|a| (a + 1..classes).map(move |b| (a, b)));
                pairs.map(|(a, b)| vec![of_two(&scores, a, b), of_two(&scores, b, a)]).collect()
            }
        };
        Ok(Self { parts, pairing, weighing })
    }
}

impl Weighable for AucOfClasses {
    fn value(&self, weights: &[u32]) -> Option<f64> {
        let of_part = |rankings: &Vec<Ranking>| {
            let each: Option<Vec<f64>> = rankings.iter().map(|ranking| ranking.wins(weights).auc()).collect();
            let (positives, negatives) = rankings[0].totals(weights);
            let rows = if self.pairing == Pairing::Rest { positives } else { positives + negatives };
            Some((crate::mean(&each?).ok()?, rows))
        };
        weighted_mean(&self.parts.iter().map(of_part).collect::<Option<Vec<_>>>()?, self.weighing)
    }
}

fn against_rest(scores: &ClassScores<'_>, class: usize) -> Ranking {
    let rows = (0..scores.truth.len() as u32).collect();
    Ranking::of(rows, |row| scores.class(row) == class, |row| scores.score(row, class))
}

/// The rows of two classes by the score of the first.
fn of_two(scores: &ClassScores<'_>, class: usize, other: usize) -> Ranking {
    let rows = (0..scores.truth.len() as u32).filter(|row| [class, other].contains(&scores.class(*row)));
    Ranking::of(rows.collect(), |row| scores.class(row) == class, |row| scores.score(row, class))
}
