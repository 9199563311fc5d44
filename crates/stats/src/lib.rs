//! Numbers one can trust: metrics of predictions, comparisons of two, intervals around both, and nothing else.
//!
//! Everything here is a pure function of its arguments and gives the same bits on every machine:
//! logarithms come from `libm`, sums run in a fixed order, and random draws are specified down to
//! the bit (see [`paired_bootstrap`]). The crate knows none of the domain's words.

mod association;
mod average;
mod binary;
mod bins;
mod bootstrap;
mod calibration;
mod class_scores;
mod classes;
mod comparison;
mod draw;
mod drift;
mod error;
mod fact;
mod halving;
mod labels;
mod mean;
mod measure;
mod metric;
mod normal;
mod one_class;
mod proportion;
mod quantile;
mod query;
mod ranking;
mod regression;
mod replicates;
mod rows;
mod similarity;
mod spread;
mod student;
mod sum;
mod weighable;

pub use association::{correlation_ratio, cramers_v, pearson, spearman};
pub use average::ClassCounts;
pub use binary::{Binary, BinaryMetrics, Confusion, DEFAULT_THRESHOLD, accuracy, auc, brier_of_row, log_loss_of_row};
pub use bins::{Bin, Bins};
pub use bootstrap::{
    Bootstrap, PairedInterval, RESAMPLES_MAX, RESAMPLES_MIN, Resampling, paired_bootstrap, paired_bootstrap_of,
    paired_bootstrap_of_numbers, paired_bootstrap_of_rankings, paired_bootstrap_of_rows,
};
pub use calibration::{CALIBRATION_BINS, Calibration, CalibrationBin};
pub use class_scores::{AucOfClasses, ClassScores, PAIRED_CLASSES_MAX};
pub use classes::{AveragedClasses, Classes, average_of_classes, brier_of_classes};
pub use comparison::{
    Chance, ChiSquared, DeLong, DeLongTest, Difference, ImportanceWeights, MCNEMAR_EXACT_BELOW, McNemar, MoreRows,
    NumberLoss, PAIRS_MIN, PairedLosses, PairedT, PairedTest, PairedTestKind, PerformanceDelta, Recommendation,
    SIGNED_RANK_EXACT_UP_TO, SIMILAR_WITHIN, ScoreLoss, Side, SignedRank, Standing, USUAL_POWER, holm, recommend,
    relative_interval,
};
pub use drift::{KolmogorovSmirnov, kolmogorov_smirnov, population_stability_index};
pub use error::StatsError;
pub use fact::Fact;
pub use labels::{AucOfLabels, AveragedLabels, Labels, average_of_labels};
pub use mean::mean;
pub use metric::{Average, Fraction, Measure, Metric, PLACES_MAX, Pairing, Weighing};
pub use one_class::OneClass;
pub use proportion::{Interval, difference_interval, wilson_interval};
pub use quantile::{quantile, quantiles};
pub use query::Query;
pub use regression::RegressionMetrics;
pub use replicates::{REPLICATES_MIN, next_replicate};
pub use similarity::Similarity;
pub use spread::{Histogram, standard_deviation};
pub use weighable::Weighable;
