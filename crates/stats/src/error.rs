//! What can be wrong with the numbers that a caller hands in.

use crate::Metric;

/// Why a number can't be computed; carries the value or row that is at fault.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatsError {
    #[error("there are no rows")]
    Empty,
    #[error("{expected} rows have a label, but there are {found} {what}")]
    LengthMismatch { what: &'static str, expected: usize, found: usize },
    #[error("row {row} (counted from 0) has class {class}, but there are {classes}")]
    NoClass { row: usize, class: usize, classes: usize },
    #[error("{rows} rows are more than the {max} that can be handled")]
    TooManyRows { rows: usize, max: usize },
    #[error("the value {value} in row {row} (counted from 0) is not a finite number")]
    NotFinite { row: usize, value: f64 },
    #[error("the score {value} in row {row} (counted from 0) is not between 0 and 1")]
    ScoreOutOfRange { row: usize, value: f64 },
    #[error("the values are too large or too close: their squares don't fit in a 64-bit number")]
    SquaresOutOfRange,
    #[error("the threshold {threshold} is not between 0 and 1")]
    Threshold { threshold: f64 },
    #[error("the confidence {confidence} is not between 0 and 1, both excluded")]
    Confidence { confidence: f64 },
    #[error("the quantile {quantile} is not between 0 and 1")]
    Quantile { quantile: f64 },
    #[error("{resamples} resamples are not between {min} and {max}")]
    Resamples { resamples: u32, min: u32, max: u32 },
    #[error("{successes} successes out of {trials} trials are not a proportion")]
    Proportion { successes: u64, trials: u64 },
    #[error("{count} repetitions are too few: at least {min} are needed")]
    Replicates { count: usize, min: usize },
    #[error("there is no metric `{name}`; known are {}", Metric::NAMES)]
    UnknownMetric { name: String },
    #[error("metric `{metric}` needs {needs}")]
    WrongTarget { metric: Metric, needs: &'static str },
    #[error("metric `{metric}` needs positive and negative rows, but all rows are of one class")]
    OneClass { metric: Metric },
    #[error("metric `{metric}` is not defined on these rows")]
    Undefined { metric: Metric },
    #[error("metric `{metric}` is not computed for {classes} classes, only for up to {max}")]
    TooManyClasses { metric: Metric, classes: usize, max: usize },
    #[error("the relevance {value} in row {row} (counted from 0) is below 0")]
    NegativeRelevance { row: usize, value: f64 },
    #[error("resample {resample} had rows of one class only in each of {attempts} draws")]
    ClassNotDrawn { resample: u32, attempts: u32 },
    #[error("{rows} rows are too few: at least {min} are needed")]
    TooFewRows { rows: usize, min: usize },
    #[error("one of the two classes has {rows} rows, but a variance needs at least {min} of each")]
    TooFewOfClass { rows: usize, min: usize },
    #[error("the p-value {value} at {at} (counted from 0) is not between 0 and 1")]
    PValue { at: usize, value: f64 },
    #[error("the power {power} is not from 0.5 to below 1")]
    Power { power: f64 },
    #[error("the {what} {value} is not a finite number")]
    NotANumber { what: &'static str, value: f64 },
    #[error("there is no interval from {low} to {high}")]
    NoInterval { low: f64, high: f64 },
    #[error("the margin {margin} is not a finite number above 0")]
    Margin { margin: f64 },
    #[error("the weight {value} of the {what} is not a finite number of 0 or more")]
    Weight { what: &'static str, value: f64 },
    #[error("the weights of the improvement and of the latency are both 0")]
    NoWeight,
    #[error("`{text}` is no fact of the form `kind:name=value`")]
    NoFact { text: String },
}
