//! How well the rows of one query are ordered. A metric of many queries is the mean over them.

use crate::rows::{check_finite, check_length, check_rows};
use crate::{Metric, StatsError};

/// The rows of one query, from the one with the greatest score down; equal scores together.
pub struct Query {
    ties: Vec<Tie>,
    /// What each row is worth, the greatest first.
    ideal: Vec<f64>,
}

/// Rows of the same score: they may be in any order, and every metric is what it is on average over all of them.
struct Tie {
    rows: usize,
    relevant: usize,
    /// What all of them are worth.
    gain: f64,
}

impl Query {
    /// Takes how relevant each row is, 0 or more (above 0 counts as relevant where only that is asked), and its score.
    pub fn new(relevance: &[f64], scores: &[f64]) -> Result<Self, StatsError> {
        check_rows(relevance.len())?;
        check_length("scores", relevance.len(), scores.len())?;
        check_finite(relevance)?;
        check_finite(scores)?;
        if let Some(row) = relevance.iter().position(|relevance| *relevance < 0.0) {
            return Err(StatsError::NegativeRelevance { row, value: relevance[row] });
        }
        let mut rows: Vec<usize> = (0..scores.len()).collect();
        rows.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let ties = rows.chunk_by(|a, b| scores[*a] == scores[*b]).map(|tie| Tie {
            rows: tie.len(),
            relevant: tie.iter().filter(|row| relevance[**row] > 0.0).count(),
            gain: crate::sum::sum(tie.iter().map(|row| relevance[*row])),
        });
        let mut ideal = relevance.to_vec();
        ideal.sort_by(|a, b| b.total_cmp(a));
        Ok(Self { ties: ties.collect(), ideal })
    }

    /// Returns the metric of this query, or nothing if none of its rows is relevant: no order of them is better than
    /// another (scikit-learn gives 0).
    pub fn value(&self, metric: Metric) -> Result<Option<f64>, StatsError> {
        if !metric.is_of_queries() {
            return Err(metric.needs_other());
        }
        let relevant: usize = self.ties.iter().map(|tie| tie.relevant).sum();
        if relevant == 0 {
            return Ok(None);
        }
        let value = match metric {
            Metric::Ndcg(places) => self.ndcg(places as usize),
            Metric::RecallAt(places) => self.found(places as usize) / relevant as f64,
            Metric::Mrr => self.reciprocal_rank(),
            _ => self.average_precision(relevant as f64),
        };
        // the sum of what all rows are worth may not fit
        if value.is_finite() { Ok(Some(value)) } else { Err(StatsError::SquaresOutOfRange) }
    }

    /// Discounted gain beside that of the best order, the gain of a row being its relevance: scikit-learn's
    /// `ndcg_score` with `k`.
    fn ndcg(&self, places: usize) -> f64 {
        let (mut before, mut gain) = (0, 0.0);
        for tie in &self.ties {
            let discounts: f64 = (before..before + tie.rows).take_while(|at| *at < places).map(discount).sum();
            gain += tie.gain / tie.rows as f64 * discounts;
            before += tie.rows;
        }
        let best: f64 = self.ideal.iter().take(places).enumerate().map(|(at, gain)| gain * discount(at)).sum();
        gain / best
    }

    /// How many relevant rows are among the first.
    fn found(&self, places: usize) -> f64 {
        let (mut left, mut found) = (places, 0.0);
        for tie in &self.ties {
            let seen = tie.rows.min(left);
            left -= seen;
            found += tie.relevant as f64 * (seen as f64 / tie.rows as f64);
        }
        found
    }

    /// One by the place of the first relevant row.
    fn reciprocal_rank(&self) -> f64 {
        let mut before = 0;
        for tie in &self.ties {
            if tie.relevant == 0 {
                before += tie.rows;
                continue;
            }
            let (mut not_yet, mut expected) = (1.0, 0.0);
            for at in 0..=tie.rows - tie.relevant {
                let here = tie.relevant as f64 / (tie.rows - at) as f64;
                expected += not_yet * here / (before + at + 1) as f64;
                not_yet *= 1.0 - here;
            }
            return expected;
        }
        0.0
    }

    /// The mean precision at each relevant row: scikit-learn's `average_precision_score`, for which rows of equal
    /// scores are found together.
    fn average_precision(&self, relevant: f64) -> f64 {
        let (mut seen, mut found, mut sum) = (0, 0, 0.0);
        for tie in &self.ties {
            seen += tie.rows;
            found += tie.relevant;
            sum += tie.relevant as f64 * (found as f64 / seen as f64);
        }
        sum / relevant
    }
}

fn discount(place: usize) -> f64 {
    1.0 / libm::log2(place as f64 + 2.0)
}
