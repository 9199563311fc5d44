//! Whether probabilities are as frequent as they say.

use crate::rows::{check_finite, check_length, check_rows};
use crate::{StatsError, Weighable};

/// Bins of equal width from 0 to 1, each with its upper end, as those of scikit-learn's `calibration_curve`.
pub const CALIBRATION_BINS: usize = 10;

/// How often something was said with which probability, and whether it was so.
pub struct Calibration {
    was_so: Vec<bool>,
    probabilities: Vec<f64>,
    /// Of each row.
    bins: Vec<usize>,
}

/// The rows whose probability lies in a part of the range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationBin {
    /// Excluded, except for 0.
    pub low: f64,
    pub high: f64,
    pub rows: u64,
    /// The mean probability.
    pub said: f64,
    /// The share of rows in which it was so.
    pub was: f64,
}

impl Calibration {
    pub fn new(was_so: Vec<bool>, probabilities: Vec<f64>) -> Result<Self, StatsError> {
        check_rows(was_so.len())?;
        check_length("probabilities", was_so.len(), probabilities.len())?;
        check_finite(&probabilities)?;
        let bins = probabilities.iter().map(|probability| bin(*probability)).collect();
        Ok(Self { was_so, probabilities, bins })
    }

    /// Returns the bins that have rows.
    pub fn bins(&self) -> Vec<CalibrationBin> {
        let of_bin = |bin: usize| {
            let rows: Vec<usize> = (0..self.bins.len()).filter(|row| self.bins[*row] == bin).collect();
            let count = rows.len() as f64;
            (count > 0.0).then(|| CalibrationBin {
                low: edge(bin),
                high: edge(bin + 1),
                rows: rows.len() as u64,
                said: crate::sum::sum(rows.iter().map(|row| self.probabilities[*row])) / count,
                was: rows.iter().filter(|row| self.was_so[**row]).count() as f64 / count,
            })
        };
        (0..CALIBRATION_BINS).filter_map(of_bin).collect()
    }
}

impl Weighable for Calibration {
    /// The expected calibration error: the mean over rows of how far the share of their bin is from its mean
    /// probability (Naeini, Cooper and Hauskrecht, *Obtaining Well Calibrated Probabilities Using Bayesian Binning*,
    /// 2015).
    fn value(&self, weights: &[u32]) -> Option<f64> {
        let mut distances = [0.0_f64; CALIBRATION_BINS];
        for (row, &weight) in weights.iter().enumerate() {
            let distance = f64::from(u8::from(self.was_so[row])) - self.probabilities[row];
            distances[self.bins[row]] += distance * f64::from(weight);
        }
        let rows: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        (rows > 0).then(|| distances.iter().map(|distance| distance.abs()).sum::<f64>() / rows as f64)
    }
}

fn bin(probability: f64) -> usize {
    (1..CALIBRATION_BINS).take_while(|bin| edge(*bin) < probability).count()
}

fn edge(bin: usize) -> f64 {
    // as NumPy's linspace has it; the last is exact
    if bin == CALIBRATION_BINS { 1.0 } else { bin as f64 * (1.0 / CALIBRATION_BINS as f64) }
}
