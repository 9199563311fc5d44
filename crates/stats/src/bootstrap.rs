//! Is the new list of scores better than the old one on the same rows, and how sure is that?

use std::ops::Range;
use std::panic::resume_unwind;
use std::thread;

use crate::binary::{DEFAULT_THRESHOLD, brier_of_row, log_loss_of_row, ranking};
use crate::draw::Draw;
use crate::proportion::check_confidence;
use crate::quantile::quantile_of_sorted;
use crate::ranking::Ranking;
use crate::regression::losses;
use crate::rows::{check_length, check_rows};
use crate::{Binary, Interval, Metric, OneClass, StatsError, Weighable, mean};

/// Fewer resamples leave nothing beyond the ends of the interval.
pub const RESAMPLES_MIN: u32 = 100;
pub const RESAMPLES_MAX: u32 = 1_000_000;

/// How often a resample without one of the classes is drawn again. Even with two rows, the worst
/// case, half of the draws hold both classes.
const ATTEMPTS_MAX: u32 = 128;

/// How many rows are drawn in all before a second thread is worth its start.
const DRAWS_FOR_THREADS: u64 = 4_000_000;
const THREADS: usize = 2;

/// What is compared and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    pub metric: Metric,
    /// Above which score a row is called positive; only accuracy looks at it.
    pub threshold: f64,
    pub resamples: u32,
    pub seed: u64,
    pub confidence: f64,
}

impl Bootstrap {
    /// Returns the usual choice: 2,000 resamples, 95 % confidence, threshold 0.5.
    pub const fn new(metric: Metric, seed: u64) -> Self {
        let Resampling { resamples, seed, confidence } = Resampling::new(seed);
        Self { metric, threshold: DEFAULT_THRESHOLD, resamples, seed, confidence }
    }

    const fn resampling(&self) -> Resampling {
        Resampling { resamples: self.resamples, seed: self.seed, confidence: self.confidence }
    }
}

/// How rows are drawn, whatever is asked of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resampling {
    pub resamples: u32,
    pub seed: u64,
    pub confidence: f64,
}

impl Resampling {
    /// Returns the usual choice: 2,000 resamples, 95 % confidence.
    pub const fn new(seed: u64) -> Self {
        Self { resamples: 2_000, seed, confidence: 0.95 }
    }
}

/// By how much the new scores are better, and the interval around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedInterval {
    /// The metric of the old scores on all rows.
    pub old: f64,
    /// The metric of the new scores on all rows.
    pub new: f64,
    /// The improvement: positive is better, so for log loss and Brier it is old minus new.
    pub difference: f64,
    pub low: f64,
    pub high: f64,
    pub resamples: u32,
    pub confidence: f64,
}

/// Compares two lists of scores for the same rows by the paired percentile bootstrap.
///
/// Each resample draws as many rows as there are, with replacement, and takes both scores of every
/// drawn row, so that what makes a row hard for both cancels out. The interval reaches from the
/// `(1 - confidence) / 2` to the `(1 + confidence) / 2` quantile (linear interpolation) of the
/// resampled improvements: the percentile interval of Efron and Tibshirani, *An Introduction to
/// the Bootstrap* (1993), chapter 13. It was chosen over their BCa interval (chapter 14) because
/// anyone can recompute it from the draws alone and it never leaves the metric's range; the price
/// is an interval that is slightly too narrow for a few dozen rows.
///
/// A resample that lacks one of the classes has no AUC; it is drawn again from the same stream, at
/// most 128 times, so the interval of an AUC is conditional on both classes being present. Other
/// metrics draw once.
///
/// The result depends on the arguments (the order of rows included) and on nothing else: each
/// resample has a random stream of its own, so threads don't matter. The cost is linear in rows
/// times resamples, a few nanoseconds each: 2,000 resamples of 300 rows take some milliseconds,
/// those of 100,000 rows half a second on two threads.
pub fn paired_bootstrap(
    labels: &[bool],
    scores_old: &[f64],
    scores_new: &[f64],
    bootstrap: &Bootstrap,
) -> Result<PairedInterval, StatsError> {
    check_length("old scores", labels.len(), scores_old.len())?;
    check_length("new scores", labels.len(), scores_new.len())?;
    let old = Binary::new(labels, scores_old, bootstrap.threshold)?;
    let new = Binary::new(labels, scores_new, bootstrap.threshold)?;
    let of_rows = |of_row| -> (Vec<f64>, Vec<f64>) { (old.by_row(of_row).collect(), new.by_row(of_row).collect()) };
    let (old, new) = match bootstrap.metric {
        metric if metric.is_of_one_class() => {
            return paired_bootstrap_of_rankings(labels, scores_old, scores_new, bootstrap);
        }
        Metric::Accuracy => (old.hits().collect(), new.hits().collect()),
        Metric::LogLoss => of_rows(log_loss_of_row),
        Metric::Brier => of_rows(brier_of_row),
        other => return Err(other.needs_other()),
    };
    paired_bootstrap_of_rows(&old, &new, bootstrap)
}

/// Compares two lists of scores of any scale by how they rank rows: AUC, Gini, KS or lift, see [`paired_bootstrap`].
pub fn paired_bootstrap_of_rankings(
    labels: &[bool],
    scores_old: &[f64],
    scores_new: &[f64],
    bootstrap: &Bootstrap,
) -> Result<PairedInterval, StatsError> {
    check(&bootstrap.resampling())?;
    let metric = bootstrap.metric;
    check_length("old scores", labels.len(), scores_old.len())?;
    check_length("new scores", labels.len(), scores_new.len())?;
    if metric != Metric::Auc {
        let of = |scores| OneClass::new(metric, labels, scores);
        return paired_bootstrap_of(&of(scores_old)?, &of(scores_new)?, labels.len(), bootstrap);
    }
    let (old, new) = (ranking(labels, scores_old)?, ranking(labels, scores_new)?);
    let once = vec![1; labels.len()];
    let value = |ranking: &Ranking| ranking.wins(&once).auc().ok_or(StatsError::OneClass { metric });
    let values = (value(&old)?, value(&new)?);
    resampled(values, labels.len(), &Comparison::Auc { old, new }, bootstrap)
}

/// Compares two lists of one value a row (or a query, of which whole ones are drawn then) whose mean is the metric, see
/// [`paired_bootstrap`].
pub fn paired_bootstrap_of_rows(old: &[f64], new: &[f64], bootstrap: &Bootstrap) -> Result<PairedInterval, StatsError> {
    check(&bootstrap.resampling())?;
    check_rows(old.len())?;
    check_length("new values", old.len(), new.len())?;
    let metric = bootstrap.metric;
    if !metric.is_mean() {
        return Err(StatsError::WrongTarget { metric, needs: "more than one value a row" });
    }
    let values = (mean(old)?, mean(new)?);
    let improvements = old.iter().zip(new).map(|(old, new)| metric.improvement(*old, *new)).collect();
    resampled(values, old.len(), &Comparison::Mean(improvements), bootstrap)
}

/// Compares two answers to the same rows by a metric that is computed anew from the rows of each resample, see
/// [`paired_bootstrap`].
///
/// A resample on which it isn't defined, as where a class is absent, is drawn again.
pub fn paired_bootstrap_of(
    old: &dyn Weighable,
    new: &dyn Weighable,
    rows: usize,
    bootstrap: &Bootstrap,
) -> Result<PairedInterval, StatsError> {
    check(&bootstrap.resampling())?;
    check_rows(rows)?;
    let metric = bootstrap.metric;
    let once = vec![1; rows];
    let value = |of: &dyn Weighable| of.value(&once).ok_or(StatsError::Undefined { metric });
    resampled((value(old)?, value(new)?), rows, &Comparison::Whole { metric, old, new }, bootstrap)
}

fn resampled(
    (old, new): (f64, f64),
    rows: usize,
    comparison: &Comparison<'_>,
    bootstrap: &Bootstrap,
) -> Result<PairedInterval, StatsError> {
    let Interval { low, high } = interval(rows, comparison, &bootstrap.resampling())?;
    Ok(PairedInterval {
        old,
        new,
        difference: bootstrap.metric.improvement(old, new),
        low,
        high,
        resamples: bootstrap.resamples,
        confidence: bootstrap.confidence,
    })
}

/// Returns the interval of the mean of what each row improved by, see [`paired_bootstrap`].
pub(crate) fn interval_of_mean(improvements: Vec<f64>, resampling: &Resampling) -> Result<Interval, StatsError> {
    check(resampling)?;
    check_rows(improvements.len())?;
    interval(improvements.len(), &Comparison::Mean(improvements), resampling)
}

fn interval(rows: usize, comparison: &Comparison<'_>, resampling: &Resampling) -> Result<Interval, StatsError> {
    let draws = rows as u64 * u64::from(resampling.resamples);
    let threads = if draws < DRAWS_FOR_THREADS { 1 } else { THREADS };
    let mut improvements = resample(threads, rows, comparison, resampling)?;
    improvements.sort_unstable_by(f64::total_cmp);

    let outside = (1.0 - resampling.confidence) / 2.0;
    Ok(Interval {
        low: quantile_of_sorted(&improvements, outside),
        high: quantile_of_sorted(&improvements, 1.0 - outside),
    })
}

/// Compares two lists of predicted numbers for the same rows, as [`paired_bootstrap`] does for scores of two classes.
///
/// For RMSE and R² the metric of each resample is computed from its own rows: they are no means of rows. A resample
/// in which the target never varies has no R² and is drawn again.
pub fn paired_bootstrap_of_numbers(
    targets: &[f64],
    predictions_old: &[f64],
    predictions_new: &[f64],
    bootstrap: &Bootstrap,
) -> Result<PairedInterval, StatsError> {
    check(&bootstrap.resampling())?;
    check_length("old predictions", targets.len(), predictions_old.len())?;
    check_length("new predictions", targets.len(), predictions_new.len())?;
    let metric = bootstrap.metric;
    let value = |predictions| {
        let value = metric.regression_value(targets, predictions)?;
        value.ok_or(StatsError::Undefined { metric })
    };
    let (old, new) = (value(predictions_old)?, value(predictions_new)?);
    let comparison = Comparison::of_numbers(metric, targets, predictions_old, predictions_new)?;
    resampled((old, new), targets.len(), &comparison, bootstrap)
}

fn check(resampling: &Resampling) -> Result<(), StatsError> {
    check_confidence(resampling.confidence)?;
    if (RESAMPLES_MIN..=RESAMPLES_MAX).contains(&resampling.resamples) {
        return Ok(());
    }
    Err(StatsError::Resamples { resamples: resampling.resamples, min: RESAMPLES_MIN, max: RESAMPLES_MAX })
}

/// What a resample needs to know of the rows.
enum Comparison<'a> {
    /// The metric is a mean over rows: the improvement of each row.
    Mean(Vec<f64>),
    Auc {
        old: Ranking,
        new: Ranking,
    },
    /// The metric is computed anew.
    Whole {
        metric: Metric,
        old: &'a dyn Weighable,
        new: &'a dyn Weighable,
    },
    /// The squared errors of each row.
    RootOfMean {
        old: Vec<f64>,
        new: Vec<f64>,
    },
    /// By how much the squared error of each row shrank, and the targets, whose variation it is a share of.
    ShareOfVariation {
        shrunk: Vec<f64>,
        targets: Vec<f64>,
    },
}

impl Comparison<'_> {
    fn of_numbers(metric: Metric, targets: &[f64], old: &[f64], new: &[f64]) -> Result<Self, StatsError> {
        let errors = |predictions: &[f64], of: fn(f64) -> f64| -> Vec<f64> {
            targets.iter().zip(predictions).map(|(target, prediction)| of(target - prediction)).collect()
        };
        let squares = |error: f64| error * error;
        let shrunk = |old: Vec<f64>, new: Vec<f64>| old.iter().zip(&new).map(|(old, new)| old - new).collect();
        match metric {
            Metric::Mae | Metric::Mape | Metric::Pinball(_) => {
                let of = |predictions| losses(metric, targets, predictions)?.ok_or(StatsError::Undefined { metric });
                Ok(Self::Mean(shrunk(of(old)?, of(new)?)))
            }
            Metric::Rmse => Ok(Self::RootOfMean { old: errors(old, squares), new: errors(new, squares) }),
            Metric::R2 => Ok(Self::ShareOfVariation {
                shrunk: shrunk(errors(old, squares), errors(new, squares)),
                targets: targets.to_vec(),
            }),
            other => Err(other.needs_other()),
        }
    }

    /// Returns the improvement if row `i` counts `weights[i]` times, or nothing if it isn't defined.
    fn improvement(&self, weights: &[u32]) -> Option<f64> {
        match self {
            Self::Mean(improvements) => Some(weighted(improvements, weights) / weights.len() as f64),
            Self::Auc { old, new } => new.wins(weights).auc_above(old.wins(weights)),
            Self::Whole { metric, old, new } => Some(metric.improvement(old.value(weights)?, new.value(weights)?)),
            Self::RootOfMean { old, new } => {
                let rows = weights.len() as f64;
                Some((weighted(old, weights) / rows).sqrt() - (weighted(new, weights) / rows).sqrt())
            }
            Self::ShareOfVariation { shrunk, targets } => {
                let mean = weighted(targets, weights) / weights.len() as f64;
                let distances = targets.iter().zip(weights);
                let variation: f64 =
                    distances.map(|(target, &weight)| (target - mean) * (target - mean) * f64::from(weight)).sum();
                (variation > 0.0).then(|| weighted(shrunk, weights) / variation)
            }
        }
    }
}

/// The sum in which row `i` counts `weights[i]` times.
fn weighted(values: &[f64], weights: &[u32]) -> f64 {
    values.iter().zip(weights).map(|(value, &weight)| value * f64::from(weight)).sum()
}

/// Returns the improvement of each resample, in the order of their numbers.
fn resample(
    threads: usize,
    rows: usize,
    comparison: &Comparison<'_>,
    resampling: &Resampling,
) -> Result<Vec<f64>, StatsError> {
    let &Resampling { resamples, seed, .. } = resampling;
    if threads == 1 {
        return resample_part(0..resamples, rows, comparison, seed);
    }
    let part = resamples.div_ceil(threads as u32);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..resamples)
            .step_by(part as usize)
            .map(|first| {
                let numbers = first..resamples.min(first + part);
                scope.spawn(move || resample_part(numbers, rows, comparison, seed))
            })
            .collect();
        let mut improvements = Vec::with_capacity(resamples as usize);
        for worker in workers {
            let part = worker.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            improvements.extend(part);
        }
        Ok(improvements)
    })
}

fn resample_part(
    numbers: Range<u32>,
    rows: usize,
    comparison: &Comparison<'_>,
    seed: u64,
) -> Result<Vec<f64>, StatsError> {
    let mut weights = vec![0; rows];
    numbers
        .map(|resample| {
            let mut draw = Draw::new(seed, resample);
            for _ in 0..ATTEMPTS_MAX {
                draw.rows(&mut weights);
                if let Some(improvement) = comparison.improvement(&weights) {
                    return Ok(improvement);
                }
            }
            Err(StatsError::ClassNotDrawn { resample, attempts: ATTEMPTS_MAX })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{
        ATTEMPTS_MAX, Bootstrap, Comparison, Resampling, paired_bootstrap_of_numbers, resample, resample_part,
    };
    use crate::ranking::Ranking;
    use crate::{Metric, StatsError};

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let labels: Vec<bool> = (0..97).map(|row| row % 3 == 0).collect();
        let old: Vec<f64> = (0..97).map(|row| f64::from(row * 7 % 11) / 11.0).collect();
        let new: Vec<f64> = (0..97).map(|row| f64::from(row * 5 % 13) / 13.0).collect();
        let improvements = old.iter().zip(&new).map(|(old, new)| new - old).collect();
        let rankings = Comparison::Auc { old: Ranking::new(&labels, &old), new: Ranking::new(&labels, &new) };
        for comparison in [rankings, Comparison::Mean(improvements)] {
            let resampling = Resampling { resamples: 101, ..Resampling::new(3) };
            let on = |threads| resample(threads, labels.len(), &comparison, &resampling);
            let alone = on(1).unwrap();
            for threads in [2, 3, 64, 200] {
                assert_eq!(on(threads).unwrap(), alone, "{threads} threads");
            }
        }
    }

    #[test]
    fn numbers_are_compared_by_the_metric_of_each_resample() {
        let targets: Vec<f64> = (0..200).map(|row| f64::from(row * 37 % 101)).collect();
        let noisy = |size: f64| -> Vec<f64> {
            targets
                .iter()
                .enumerate()
                .map(|(row, t)| t + size * (f64::from(row as u32 * 53 % 97) / 97.0 - 0.5))
                .collect()
        };
        let (bad, good) = (noisy(20.0), noisy(5.0));
        let of_a_quantile = Metric::parse("pinball@0.3").unwrap();
        for metric in [Metric::Rmse, Metric::Mae, Metric::R2, of_a_quantile] {
            let bootstrap = Bootstrap::new(metric, 3);
            let found = paired_bootstrap_of_numbers(&targets, &bad, &good, &bootstrap).unwrap();
            let value = |predictions: &[f64]| metric.regression_value(&targets, predictions).unwrap().unwrap();
            assert_eq!((found.old, found.new), (value(&bad), value(&good)));
            assert!(found.low > 0.0 && found.low < found.difference && found.difference < found.high, "{metric}");
            let back = paired_bootstrap_of_numbers(&targets, &good, &bad, &bootstrap).unwrap();
            assert!((back.low + found.high).abs() < 1e-9 && (back.difference + found.difference).abs() < 1e-9);
            let same = paired_bootstrap_of_numbers(&targets, &good, &good, &bootstrap).unwrap();
            assert_eq!((same.low, same.high), (0.0, 0.0));
        }
        let constant = vec![1.0; 200];
        let r2 = Bootstrap::new(Metric::R2, 1);
        assert!(paired_bootstrap_of_numbers(&constant, &bad, &good, &r2).is_err());
        let auc = Bootstrap::new(Metric::Auc, 1);
        assert!(paired_bootstrap_of_numbers(&targets, &bad, &good, &auc).is_err());
    }

    #[test]
    fn a_class_that_is_never_drawn_ends_in_an_error() {
        let ranking = || Ranking::new(&[true, true], &[0.1, 0.2]);
        let (old, new) = (ranking(), ranking());
        assert_eq!(
            resample_part(5..6, 2, &Comparison::Auc { old, new }, 1),
            Err(StatsError::ClassNotDrawn { resample: 5, attempts: ATTEMPTS_MAX })
        );
    }
}
