//! How well scores of any scale set one class apart from the rest.

use crate::metric::Fraction;
use crate::ranking::Ranking;
use crate::rows::{check_finite, check_length, check_rows};
use crate::{Metric, StatsError, Weighable};

/// A share of rows is rounded up; a product of two numbers may be a rounding above a whole.
const ROUNDING: f64 = 1e-9;

/// Scores of one class, and what is asked of them: AUC, Gini, KS or lift.
pub struct OneClass {
    metric: Metric,
    ranking: Ranking,
}

impl OneClass {
    pub fn new(metric: Metric, labels: &[bool], scores: &[f64]) -> Result<Self, StatsError> {
        if !metric.is_of_one_class() {
            return Err(metric.needs_other());
        }
        check_rows(labels.len())?;
        check_length("scores", labels.len(), scores.len())?;
        check_finite(scores)?;
        Ok(Self { metric, ranking: Ranking::new(labels, scores) })
    }
}

impl Weighable for OneClass {
    /// Nothing if one class is absent; a lift needs rows of the class only.
    fn value(&self, weights: &[u32]) -> Option<f64> {
        match self.metric {
            Metric::Gini => Some(2.0 * self.ranking.wins(weights).auc()? - 1.0),
            Metric::Ks => greatest_gap(&self.ranking, weights),
            Metric::Lift(share) => lift(&self.ranking, share, weights),
            _ => self.ranking.wins(weights).auc(),
        }
    }
}

/// The greatest distance of the true above the false positive rate, over all thresholds; zero or more.
fn greatest_gap(ranking: &Ranking, weights: &[u32]) -> Option<f64> {
    let (positives, negatives) = ranking.totals(weights);
    let (mut below, mut gap) = ((0, 0), 0.0_f64);
    ranking.each_tie(weights, |in_tie| {
        below = (below.0 + in_tie.0, below.1 + in_tie.1);
        // of the rows below a threshold the negatives are right and the positives are missed
        gap = gap.max(below.1 as f64 / negatives as f64 - below.0 as f64 / positives as f64);
    });
    (positives > 0 && negatives > 0).then_some(gap)
}

/// How often the class occurs among the rows with the greatest scores, beside how often it does in all.
///
/// As many rows are looked at as the share makes, rounded up. Of rows with equal scores some of which are looked at,
/// each counts for the share of them that is: what it is on average if they are in any order.
fn lift(ranking: &Ranking, share: Fraction, weights: &[u32]) -> Option<f64> {
    let (positives, negatives) = ranking.totals(weights);
    let rows = positives + negatives;
    let top = ((share.value() * rows as f64 - ROUNDING).ceil() as u64).max(1);
    let (mut left, mut missed) = (rows.saturating_sub(top), 0.0);
    ranking.each_tie(weights, |(positives, negatives)| {
        let size = positives + negatives;
        let below = size.min(left);
        left -= below;
        if size > 0 {
            missed += positives as f64 * (below as f64 / size as f64);
        }
    });
    let found = positives as f64 - missed;
    (positives > 0).then(|| (found / top as f64) / (positives as f64 / rows as f64))
}
