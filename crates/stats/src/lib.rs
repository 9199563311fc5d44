//! Numbers one can trust: metrics of predictions, intervals around them, and nothing else.
//!
//! Everything here is a pure function of its arguments and gives the same bits on every machine:
//! logarithms come from `libm`, sums run in a fixed order, and random draws are specified down to
//! the bit (see [`paired_bootstrap`]). The crate knows none of the domain's words.

mod binary;
mod bins;
mod bootstrap;
mod classes;
mod draw;
mod drift;
mod error;
mod mean;
mod measure;
mod metric;
mod proportion;
mod quantile;
mod ranking;
mod regression;
mod replicates;
mod rows;
mod sum;

pub use binary::{Binary, BinaryMetrics, Confusion, DEFAULT_THRESHOLD, accuracy, auc, brier_of_row, log_loss_of_row};
pub use bins::{Bin, Bins};
pub use bootstrap::{
    Bootstrap, PairedInterval, RESAMPLES_MAX, RESAMPLES_MIN, paired_bootstrap, paired_bootstrap_of_classes,
    paired_bootstrap_of_numbers, paired_bootstrap_of_rankings, paired_bootstrap_of_rows,
};
pub use classes::{ClassCounts, Classes, brier_of_classes, macro_average};
pub use drift::{KolmogorovSmirnov, kolmogorov_smirnov, population_stability_index};
pub use error::StatsError;
pub use mean::mean;
pub use metric::Metric;
pub use proportion::{Interval, difference_interval, wilson_interval};
pub use quantile::quantile;
pub use regression::RegressionMetrics;
pub use replicates::{REPLICATES_MAX, REPLICATES_MIN, next_replicate};
