//! McNemar's test: is one of two answers right more often than the other, on the same rows?

use crate::comparison::Chance;
use crate::rows::{check_length, check_rows};
use crate::{StatsError, normal};

/// With fewer discordant rows all outcomes are counted; from here on the χ² distribution is taken: the rule of MLflow's
/// `compare_evaluations`.
pub const MCNEMAR_EXACT_BELOW: u64 = 25;

/// How many rows one answer has right and the other wrong.
///
/// Rows that both have right, or both wrong, tell nothing of which is better (McNemar, *Note on the Sampling Error of
/// the Difference Between Correlated Proportions or Percentages*, Psychometrika 12, 1947).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct McNemar {
    pub only_old: u64,
    pub only_new: u64,
}

/// A value of the χ² distribution with one degree of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquared {
    pub statistic: f64,
    pub p_value: f64,
}

impl McNemar {
    /// Takes for each row whether the old and the new answer are right.
    pub fn of(old_right: &[bool], new_right: &[bool]) -> Result<Self, StatsError> {
        check_rows(old_right.len())?;
        check_length("new answers", old_right.len(), new_right.len())?;
        let count = |old: bool, new: bool| {
            old_right.iter().zip(new_right).filter(|&(&of_old, &of_new)| (of_old, of_new) == (old, new)).count() as u64
        };
        Ok(Self { only_old: count(true, false), only_new: count(false, true) })
    }

    /// Returns the number of rows that the test looks at.
    pub fn discordant(self) -> u64 {
        self.only_old.saturating_add(self.only_new)
    }

    pub fn chance(self) -> Chance {
        if self.discordant() < MCNEMAR_EXACT_BELOW { Chance::Exact } else { Chance::Approximate }
    }

    /// Returns how often chance alone makes one answer at least so much better than the other.
    ///
    /// Few discordant rows are an exact binomial test with probability ½, many are χ² with continuity correction. The
    /// values are those of MLflow, and of statsmodels' `mcnemar` with `exact` set for few and not for many. Without
    /// discordant rows it is 1.
    pub fn p_value(self) -> f64 {
        match (self.chance(), self.corrected_chi_squared()) {
            (Chance::Approximate, Some(chi_squared)) => chi_squared.p_value,
            _ => self.exact(),
        }
    }

    /// Returns the test by χ² = (b − c)² / (b + c), or nothing without discordant rows.
    pub fn chi_squared(self) -> Option<ChiSquared> {
        self.chi_squared_of(self.only_old.abs_diff(self.only_new) as f64)
    }

    /// Returns the test by χ² = (|b − c| − 1)² / (b + c), or nothing without discordant rows (Edwards, *Note on the
    /// "Correction for Continuity" in Testing the Significance of the Difference Between Correlated Proportions*, 1948).
    ///
    /// As in statsmodels and MLflow, equal counts are corrected away from 0, too.
    pub fn corrected_chi_squared(self) -> Option<ChiSquared> {
        self.chi_squared_of(self.only_old.abs_diff(self.only_new) as f64 - 1.0)
    }

    fn chi_squared_of(self, distance: f64) -> Option<ChiSquared> {
        let discordant = self.discordant();
        let statistic = distance * distance / discordant as f64;
        (discordant > 0).then(|| ChiSquared { statistic, p_value: normal::two_sided(statistic.sqrt()) })
    }

    /// Twice the share of outcomes that are at least as far on this side; below 25 rows all numbers are exact.
    fn exact(self) -> f64 {
        let discordant = self.discordant();
        let (mut ways, mut outcomes) = (1_u64, 1_u64);
        for right in 0..self.only_old.min(self.only_new) {
            ways = ways * (discordant - right) / (right + 1);
            outcomes += ways;
        }
        (2.0 * outcomes as f64 / (1_u64 << discordant) as f64).min(1.0)
    }
}
