//! The test that fits two lists of one value a row, as MLflow chooses it.

use std::fmt;

use crate::StatsError;
use crate::comparison::{Chance, McNemar, PairedT, SignedRank};
use crate::mean::mean;
use crate::rows::{check_finite, check_length, check_rows};

/// With fewer rows no outcome of a signed-rank test is rarer than one in twenty.
pub const PAIRS_MIN: usize = 6;

/// Whether new values differ from the old ones of the same rows: what MLflow's `compare_evaluations` (3.18) says of the
/// same arrays.
///
/// Its interval is not here: it depends on NumPy's random numbers. No p-value is corrected for how many tests are made;
/// see [`crate::holm`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedTest {
    pub kind: PairedTestKind,
    pub p_value: f64,
    /// The mean of new less old.
    pub difference: f64,
    pub rows: u64,
    /// The number of rows whose values differ: only they tell.
    pub differing: u64,
    /// Of numbers only; nothing if the differences have no variance (MLflow says 1 if all are 0, else NaN).
    pub t: Option<PairedT>,
    /// The mean difference in standard deviations of the differences, or nothing if they have no variance.
    pub effect_size: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PairedTestKind {
    /// Of values all of which are 0 or 1.
    McNemar(Chance),
    /// Of other numbers.
    SignedRank(Chance),
}

impl PairedTest {
    pub fn of(old: &[f64], new: &[f64]) -> Result<Self, StatsError> {
        check_rows(old.len())?;
        check_length("new values", old.len(), new.len())?;
        check_finite(old)?;
        check_finite(new)?;
        if old.len() < PAIRS_MIN {
            return Err(StatsError::TooFewRows { rows: old.len(), min: PAIRS_MIN });
        }
        let differences: Vec<f64> = old.iter().zip(new).map(|(old, new)| new - old).collect();
        let t = PairedT::of(&differences)?;
        let (kind, p_value) = if is_binary(old) && is_binary(new) {
            let test = McNemar::of(&ones(old), &ones(new))?;
            (PairedTestKind::McNemar(test.chance()), test.p_value())
        } else {
            let test = SignedRank::of(&differences)?;
            (PairedTestKind::SignedRank(test.chance), test.p_value)
        };
        Ok(Self {
            kind,
            p_value,
            difference: mean(&differences)?,
            rows: old.len() as u64,
            differing: differences.iter().filter(|difference| **difference != 0.0).count() as u64,
            t: t.filter(|_| matches!(kind, PairedTestKind::SignedRank(_))),
            effect_size: t.map(|t| t.effect_size()),
        })
    }
}

impl fmt::Display for PairedTestKind {
    /// Writes the name that MLflow gives it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::McNemar(Chance::Exact) => "mcnemar_exact",
            Self::McNemar(Chance::Approximate) => "mcnemar_chi2",
            Self::SignedRank(Chance::Exact) => "wilcoxon_exact",
            Self::SignedRank(Chance::Approximate) => "wilcoxon_asymptotic",
        })
    }
}

fn is_binary(values: &[f64]) -> bool {
    values.iter().all(|value| *value == 0.0 || *value == 1.0)
}

fn ones(values: &[f64]) -> Vec<bool> {
    values.iter().map(|value| *value == 1.0).collect()
}
