//! The paired t-test: is the mean of differences 0?

use crate::mean::mean;
use crate::proportion::check_confidence;
use crate::rows::check_rows;
use crate::sum::sum;
use crate::{Interval, StatsError, student};

/// Differences that are equal up to this share of their size, or up to [`NOISE`], have no variance to test against: the
/// tolerances of MLflow's `compare_evaluations`.
const EQUAL_SHARE: f64 = 1e-9;
const NOISE: f64 = 1e-12;

/// The mean of differences, and how many of its standard errors it is away from 0.
///
/// Student, *The Probable Error of a Mean*, Biometrika 6 (1908); the values are those of SciPy's `ttest_rel`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedT {
    pub mean: f64,
    pub standard_deviation: f64,
    pub standard_error: f64,
    /// Degrees of freedom: rows less one.
    pub degrees: u64,
    pub t: f64,
    /// How often chance alone brings the mean at least so far from 0, if differences are normally distributed.
    pub p_value: f64,
}

impl PairedT {
    /// Returns nothing if all differences are equal, all 0 among them: there is no variance, and so no test.
    pub fn of(differences: &[f64]) -> Result<Option<Self>, StatsError> {
        check_rows(differences.len())?;
        let mean = mean(differences)?;
        if differences.len() < 2 {
            return Err(StatsError::TooFewRows { rows: differences.len(), min: 2 });
        }
        let first = differences[0];
        if differences.iter().all(|other| (other - first).abs() <= NOISE + EQUAL_SHARE * first.abs()) {
            return Ok(None);
        }
        let rows = differences.len() as f64;
        let squares = sum(differences.iter().map(|difference| (difference - mean) * (difference - mean)));
        if !squares.is_finite() || squares == 0.0 {
            return Err(StatsError::SquaresOutOfRange);
        }
        let standard_deviation = (squares / (rows - 1.0)).sqrt();
        let standard_error = standard_deviation / rows.sqrt();
        let (t, degrees) = (mean / standard_error, differences.len() as u64 - 1);
        let p_value = student::two_sided(t, degrees);
        Ok(Some(Self { mean, standard_deviation, standard_error, degrees, t, p_value }))
    }

    /// Returns the interval that holds the mean with the confidence.
    pub fn interval(&self, confidence: f64) -> Result<Interval, StatsError> {
        check_confidence(confidence)?;
        let half = student::deviate(confidence, self.degrees) * self.standard_error;
        Ok(Interval { low: self.mean - half, high: self.mean + half })
    }

    /// Returns the mean in standard deviations of the differences: Cohen's d for pairs.
    pub fn effect_size(&self) -> f64 {
        self.mean / self.standard_deviation
    }
}
