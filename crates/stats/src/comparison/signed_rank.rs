//! Wilcoxon's signed-rank test: do differences lie above 0 as they lie below it?

use crate::comparison::Chance;
use crate::rows::{check_finite, check_rows};
use crate::{StatsError, normal};

/// Up to so many differences all outcomes are counted; above, the normal distribution is taken: the rule of MLflow's
/// `compare_evaluations`.
pub const SIGNED_RANK_EXACT_UP_TO: u64 = 50;

/// The ranks of differences by their size, those above 0 and those below it.
///
/// Differences of 0 are left out, and equal sizes share the mean of their ranks (Wilcoxon, *Individual Comparisons by
/// Ranking Methods*, Biometrics Bulletin 1, 1945).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedRank {
    /// The number of differences that are not 0.
    pub differing: u64,
    pub ranks_above: f64,
    pub ranks_below: f64,
    pub chance: Chance,
    /// How often chance alone makes the ranks on one side at least so great: 1 if nothing differs.
    pub p_value: f64,
}

/// Ranks counted twice, so that a mean rank is a whole number.
struct Ranks {
    differing: u64,
    above: u64,
    below: u64,
    /// Σ (t³ − t) over groups of t equal sizes.
    ties: f64,
}

impl SignedRank {
    /// The values are those of SciPy's `wilcoxon(differences)` without zeros, with `method="exact"` for few and
    /// `"asymptotic"` for many.
    ///
    /// The exact distribution is that of ranks without ties. With ties the sum of ranks is rounded towards the middle,
    /// which makes the value greater and never smaller. The normal one has its variance corrected for ties, and no
    /// correction for continuity.
    pub fn of(differences: &[f64]) -> Result<Self, StatsError> {
        check_rows(differences.len())?;
        check_finite(differences)?;
        let ranks = Ranks::of(differences);
        let few = ranks.differing <= SIGNED_RANK_EXACT_UP_TO;
        Ok(Self {
            differing: ranks.differing,
            ranks_above: ranks.above as f64 / 2.0,
            ranks_below: ranks.below as f64 / 2.0,
            chance: if few { Chance::Exact } else { Chance::Approximate },
            p_value: if few { ranks.exact() } else { ranks.approximate() },
        })
    }
}

impl Ranks {
    fn of(differences: &[f64]) -> Self {
        let mut differing: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
        differing.sort_unstable_by(|one, other| one.abs().total_cmp(&other.abs()));
        let mut ranks = Self { differing: 0, above: 0, below: 0, ties: 0.0 };
        for tie in differing.chunk_by(|one, other| one.abs() == other.abs()) {
            let (size, before) = (tie.len() as u64, ranks.differing);
            let above = tie.iter().filter(|difference| **difference > 0.0).count() as u64;
            let doubled_mean = 2 * before + size + 1;
            ranks.differing += size;
            ranks.above += above * doubled_mean;
            ranks.below += (size - above) * doubled_mean;
            ranks.ties += (size as f64) * (size as f64 * size as f64 - 1.0);
        }
        ranks
    }

    fn exact(&self) -> f64 {
        let ways = ways(self.differing);
        let at_most: u64 = ways[..=self.above.div_ceil(2) as usize].iter().sum();
        let at_least: u64 = ways[(self.above / 2) as usize..].iter().sum();
        let outcomes = (1_u64 << self.differing) as f64;
        (2.0 * at_most.min(at_least) as f64 / outcomes).min(1.0)
    }

    fn approximate(&self) -> f64 {
        let n = self.differing as f64;
        let mean = n * (n + 1.0) / 4.0;
        let variance = (n * (n + 1.0) * (2.0 * n + 1.0) - self.ties / 2.0) / 24.0;
        normal::two_sided((self.above as f64 / 2.0 - mean) / variance.sqrt())
    }
}

/// In how many of the 2ⁿ ways to give signs to the ranks 1 to n those above 0 add up to 0, 1, 2 and so on.
fn ways(n: u64) -> Vec<u64> {
    let mut ways = vec![0; (n * (n + 1) / 2 + 1) as usize];
    ways[0] = 1;
    for rank in 1..=n as usize {
        for total in (rank..ways.len()).rev() {
            ways[total] += ways[total - rank];
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::{SIGNED_RANK_EXACT_UP_TO, ways};

    #[test]
    fn every_outcome_is_counted_once() {
        // as printed in tables of the test: of 5 ranks, two ways to 3 and three to 5
        assert_eq!(ways(5), [1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 2, 2, 1, 1, 1]);
        for n in 0..=SIGNED_RANK_EXACT_UP_TO {
            assert_eq!(ways(n).iter().sum::<u64>(), 1 << n);
        }
    }
}
