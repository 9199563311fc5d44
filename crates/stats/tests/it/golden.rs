//! Reads what `tests/golden.py` wrote with scikit-learn, SciPy and NumPy.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use stemma_stats::{Calibration, Weighable as _};

pub const TOLERANCE: f64 = 1e-12;

/// Parses the cases of one file; at least `count` of them must be there.
pub fn cases<T: DeserializeOwned>(json: &str, count: usize) -> Vec<T> {
    let cases: Vec<T> = serde_json::from_str(json).unwrap();
    assert!(cases.len() >= count, "only {} cases", cases.len());
    cases
}

/// Compares to 1e-12 of the expected value, or of one if that is smaller.
#[track_caller]
pub fn close(what: &str, found: f64, expected: f64) {
    let distance = (found - expected).abs();
    assert!(distance <= TOLERANCE * expected.abs().max(1.0), "{what}: found {found}, expected {expected}");
}

/// Compares to 1e-12 of the expected value, however small: of p-values the small ones matter.
#[track_caller]
pub fn close_in_digits(what: &str, found: f64, expected: f64) {
    let distance = (found - expected).abs();
    assert!(distance <= TOLERANCE * expected.abs(), "{what}: found {found:e}, expected {expected:e}");
}

#[track_caller]
pub fn close_or_absent(what: &str, found: Option<f64>, expected: Option<f64>) {
    assert_eq!(found.is_some(), expected.is_some(), "{what}");
    if let (Some(found), Some(expected)) = (found, expected) {
        close(what, found, expected);
    }
}

pub fn booleans(labels: &[u8]) -> Vec<bool> {
    labels.iter().map(|&label| label == 1).collect()
}

#[derive(Deserialize)]
pub struct BinaryCase {
    pub name: String,
    pub threshold: f64,
    pub labels: Vec<u8>,
    pub scores: Vec<f64>,
    pub positives: u64,
    pub accuracy: f64,
    pub auc: Option<f64>,
    pub log_loss: f64,
    pub brier: f64,
    /// tn, fp, fn, tp
    pub confusion: [u64; 4],
    /// Gini, KS and lifts by their names.
    pub one_class: BTreeMap<String, Option<f64>>,
    pub calibration: CalibrationCase,
}

#[derive(Deserialize)]
pub struct CalibrationCase {
    error: f64,
    rows: Vec<u64>,
    said: Vec<f64>,
    was: Vec<f64>,
}

impl CalibrationCase {
    #[track_caller]
    pub fn check(&self, what: &str, found: &Calibration) {
        let bins = found.bins();
        assert_eq!(bins.iter().map(|bin| bin.rows).collect::<Vec<_>>(), self.rows, "{what}");
        for (at, bin) in bins.iter().enumerate() {
            close(what, bin.said, self.said[at]);
            close(what, bin.was, self.was[at]);
            assert!(bin.low <= bin.said && bin.said <= bin.high, "{what}: {bin:?}");
        }
        let rows = usize::try_from(self.rows.iter().sum::<u64>()).unwrap();
        close(what, found.value(&vec![1; rows]).unwrap(), self.error);
    }
}

#[derive(Deserialize)]
pub struct BootstrapCase {
    pub labels: Vec<u8>,
    pub scores_old: Vec<f64>,
    pub scores_new: Vec<f64>,
    pub metric: String,
    pub resamples: u32,
    pub seed: u64,
    pub confidence: f64,
    pub redrawn: u32,
    pub old: f64,
    pub new: f64,
    pub difference: f64,
    pub low: f64,
    pub high: f64,
}
