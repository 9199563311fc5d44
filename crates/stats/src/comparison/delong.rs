//! DeLong's test: do two lists of scores rank the same rows equally well?

use crate::binary::ranking;
use crate::proportion::check_confidence;
use crate::rows::check_length;
use crate::sum::sum;
use crate::{Interval, Metric, StatsError, normal};

/// With one row of a class there is no variance within it.
const ROWS_OF_CLASS_MIN: usize = 2;

/// Two areas under the ROC curve on the same rows, and how far chance moves them.
///
/// DeLong, DeLong and Clarke-Pearson, *Comparing the Areas under Two or More Correlated Receiver Operating
/// Characteristic Curves: A Nonparametric Approach*, Biometrics 44 (1988). What a row adds comes from its rank, in
/// n log n steps, as in Sun and Xu, *Fast Implementation of DeLong's Algorithm for Comparing the Areas Under Correlated
/// Receiver Operating Characteristic Curves*, IEEE Signal Processing Letters 21 (2014); their midranks less those
/// within a class are the counts that are taken here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeLong {
    pub auc_old: f64,
    pub auc_new: f64,
    /// New less old.
    pub difference: f64,
    pub variance_old: f64,
    pub variance_new: f64,
    pub covariance: f64,
    /// That of the difference: the sum of the variances less twice the covariance.
    pub variance: f64,
    /// Nothing if the variance of the difference is 0: both rank all rows alike, or both separate the classes perfectly
    /// (one of them perhaps the wrong way round).
    pub test: Option<DeLongTest>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeLongTest {
    /// The difference in standard errors.
    pub z: f64,
    /// How often chance alone makes the areas at least so different.
    pub p_value: f64,
    /// Of the difference, by the normal distribution: it may reach beyond −1 and 1.
    pub interval: Interval,
    pub confidence: f64,
}

/// For each row of one class twice the number of rows of the other class that it is on the right side of.
struct Placements {
    old: Vec<f64>,
    new: Vec<f64>,
    differences: Vec<f64>,
    /// Twice the number of rows of the other class: what a perfect row is worth.
    most: f64,
}

impl DeLong {
    /// Scores may have any scale. Each class needs two rows.
    pub fn of(labels: &[bool], scores_old: &[f64], scores_new: &[f64], confidence: f64) -> Result<Self, StatsError> {
        check_confidence(confidence)?;
        check_length("old scores", labels.len(), scores_old.len())?;
        check_length("new scores", labels.len(), scores_new.len())?;
        let old = ranking(labels, scores_old)?.placements(labels.len());
        let new = ranking(labels, scores_new)?.placements(labels.len());
        check_classes(labels)?;

        let of_class = |class| Placements::of(class, labels, &old, &new);
        let classes = [of_class(true), of_class(false)];
        let [positives, _] = &classes;
        let covariance = |between: fn(&Placements) -> (&[f64], &[f64])| -> f64 {
            classes.iter().map(|class| class.covariance_of_means(between(class))).sum()
        };
        let difference = positives.mean(&positives.differences);
        let variance = covariance(|class| (&class.differences, &class.differences));
        Ok(Self {
            auc_old: positives.mean(&positives.old),
            auc_new: positives.mean(&positives.new),
            difference,
            variance_old: covariance(|class| (&class.old, &class.old)),
            variance_new: covariance(|class| (&class.new, &class.new)),
            covariance: covariance(|class| (&class.old, &class.new)),
            variance,
            test: (variance > 0.0).then(|| DeLongTest::of(difference, variance.sqrt(), confidence)),
        })
    }
}

impl DeLongTest {
    fn of(difference: f64, standard_error: f64, confidence: f64) -> Self {
        let z = difference / standard_error;
        let half = normal::deviate(confidence) * standard_error;
        let interval = Interval { low: difference - half, high: difference + half };
        Self { z, p_value: normal::two_sided(z), interval, confidence }
    }
}

impl Placements {
    fn of(class: bool, labels: &[bool], old: &[u64], new: &[u64]) -> Self {
        let of_class = |all: &[u64]| -> Vec<f64> {
            all.iter().zip(labels).filter(|(_, label)| **label == class).map(|(value, _)| *value as f64).collect()
        };
        let (old, new) = (of_class(old), of_class(new));
        let differences = old.iter().zip(&new).map(|(old, new)| new - old).collect();
        let most = 2.0 * (labels.len() - old.len()) as f64;
        Self { old, new, differences, most }
    }

    /// The mean over the class of counts as a share of the most they can be: of the positives' it is the area.
    fn mean(&self, counts: &[f64]) -> f64 {
        sum(counts.iter().copied()) / (self.most * counts.len() as f64)
    }

    /// The covariance of two such means; exactly 0 if one of them never varies, whatever is lost in rounding.
    fn covariance_of_means(&self, (one, other): (&[f64], &[f64])) -> f64 {
        let never_varies = |counts: &[f64]| counts.iter().all(|count| *count == counts[0]);
        if never_varies(one) || never_varies(other) {
            return 0.0;
        }
        let rows = one.len() as f64;
        let (mean_one, mean_other) = (sum(one.iter().copied()) / rows, sum(other.iter().copied()) / rows);
        let products = one.iter().zip(other).map(|(a, b)| (a - mean_one) / self.most * ((b - mean_other) / self.most));
        sum(products) / (rows - 1.0) / rows
    }
}

fn check_classes(labels: &[bool]) -> Result<(), StatsError> {
    let positives = labels.iter().filter(|label| **label).count();
    match positives.min(labels.len() - positives) {
        0 => Err(StatsError::OneClass { metric: Metric::Auc }),
        rows if rows < ROWS_OF_CLASS_MIN => Err(StatsError::TooFewOfClass { rows, min: ROWS_OF_CLASS_MIN }),
        _ => Ok(()),
    }
}
