//! Rows in the order of their scores, so that the area under the ROC curve of any weighting of the
//! rows is one pass over integers: no sorting, no rounding before the last division.

/// The rows of one list of scores, ascending, with ties marked.
pub(crate) struct Ranking {
    ranked: Vec<Ranked>,
}

struct Ranked {
    row: u32,
    positive: bool,
    last_of_tie: bool,
}

/// How often a positive row scores above a negative one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wins {
    /// Two for each pair won, one for each tie: twice the Mann-Whitney U statistic.
    doubled: u64,
    pairs: u64,
}

impl Wins {
    /// Returns the area under the ROC curve, or nothing if one class is absent.
    pub(crate) fn auc(self) -> Option<f64> {
        (self.pairs > 0).then(|| self.doubled as f64 / (2 * self.pairs) as f64)
    }

    /// Returns by how much the area is larger than that of `other`, which must be counted with the
    /// same weights, or nothing if one class is absent.
    pub(crate) fn auc_above(self, other: Self) -> Option<f64> {
        debug_assert_eq!(self.pairs, other.pairs);
        let doubled = self.doubled as i64 - other.doubled as i64;
        (self.pairs > 0).then(|| doubled as f64 / (2 * self.pairs) as f64)
    }
}

impl Ranking {
    /// Ranks the rows; the caller has checked that lengths agree, scores are finite and the number
    /// of rows fits in a `u32`.
    pub(crate) fn new(labels: &[bool], scores: &[f64]) -> Self {
        let rows = (0..scores.len() as u32).collect();
        Self::of(rows, |row| labels[row as usize], |row| scores[row as usize])
    }

    /// Ranks some of the rows.
    pub(crate) fn of(mut rows: Vec<u32>, is_positive: impl Fn(u32) -> bool, score: impl Fn(u32) -> f64) -> Self {
        rows.sort_unstable_by(|&a, &b| score(a).total_cmp(&score(b)).then(a.cmp(&b)));
        let ranked = rows
            .iter()
            .enumerate()
            .map(|(rank, &row)| Ranked {
                row,
                positive: is_positive(row),
                last_of_tie: rows.get(rank + 1).is_none_or(|&next| score(next) != score(row)),
            })
            .collect();
        Self { ranked }
    }

    /// Counts the pairs of a positive and a negative row, each row taken `weights[row]` times.
    ///
    /// The weights must add up to less than 2^32, else the pairs don't fit.
    pub(crate) fn wins(&self, weights: &[u32]) -> Wins {
        let (mut doubled, mut positives, mut negatives) = (0_u64, 0_u64, 0_u64);
        self.each_tie(weights, |(tied_positives, tied_negatives)| {
            doubled += tied_positives * (2 * negatives + tied_negatives);
            positives += tied_positives;
            negatives += tied_negatives;
        });
        Wins { doubled, pairs: positives * negatives }
    }

    /// Tells how many positive and negative rows have each score, the least first.
    pub(crate) fn each_tie(&self, weights: &[u32], mut tell: impl FnMut((u64, u64))) {
        let (mut positives, mut negatives) = (0_u64, 0_u64);
        for ranked in &self.ranked {
            let weight = u64::from(weights[ranked.row as usize]);
            let positive = weight * u64::from(ranked.positive);
            positives += positive;
            negatives += weight - positive;
            if ranked.last_of_tie {
                tell((positives, negatives));
                (positives, negatives) = (0, 0);
            }
        }
    }

    /// How many positive and negative rows there are.
    pub(crate) fn totals(&self, weights: &[u32]) -> (u64, u64) {
        let (mut positives, mut negatives) = (0, 0);
        self.each_tie(weights, |in_tie| (positives, negatives) = (positives + in_tie.0, negatives + in_tie.1));
        (positives, negatives)
    }

    /// Returns for each of so many rows twice the number of rows of the other class that it is on the right side of, a
    /// tie counting once: below it if it is positive, above it if it is negative.
    ///
    /// All rows are ranked. Among those of one class the values add up to twice the Mann-Whitney U statistic.
    pub(crate) fn placements(&self, rows: usize) -> Vec<u64> {
        let (mut positives_left, _) = self.totals(&vec![1; rows]);
        let (mut negatives_below, mut placements) = (0, vec![0; rows]);
        for tie in self.ranked.chunk_by(|ranked, _| !ranked.last_of_tie) {
            let positives = tie.iter().filter(|ranked| ranked.positive).count() as u64;
            let negatives = tie.len() as u64 - positives;
            positives_left -= positives;
            for ranked in tie {
                placements[ranked.row as usize] =
                    if ranked.positive { 2 * negatives_below + negatives } else { 2 * positives_left + positives };
            }
            negatives_below += negatives;
        }
        placements
    }

    pub(crate) fn positives(&self, weights: &[u32]) -> u64 {
        self.totals(weights).0
    }
}

#[cfg(test)]
mod tests {
    use super::Ranking;

    /// Each pair looked at, as the definition says.
    fn auc_by_pairs(labels: &[bool], scores: &[f64]) -> Option<f64> {
        let (mut won, mut pairs) = (0.0, 0.0);
        for (i, _) in labels.iter().enumerate().filter(|(_, label)| **label) {
            for (j, _) in labels.iter().enumerate().filter(|(_, label)| !**label) {
                pairs += 1.0;
                if scores[i] > scores[j] {
                    won += 1.0;
                } else if scores[i] == scores[j] {
                    won += 0.5;
                }
            }
        }
        (pairs > 0.0).then(|| won / pairs)
    }

    #[test]
    fn a_weight_is_the_same_as_repeating_the_row() {
        let labels = [true, false, true, false, true, false];
        let scores = [0.4, 0.4, 0.9, 0.1, 0.1, 0.7];
        let weights = [2, 0, 1, 3, 1, 1];
        let (mut repeated_labels, mut repeated_scores) = (Vec::new(), Vec::new());
        for row in 0..labels.len() {
            for _ in 0..weights[row] {
                repeated_labels.push(labels[row]);
                repeated_scores.push(scores[row]);
            }
        }
        assert_eq!(
            Ranking::new(&labels, &scores).wins(&weights).auc(),
            auc_by_pairs(&repeated_labels, &repeated_scores),
        );
    }

    #[test]
    fn a_row_is_placed_among_those_of_the_other_class() {
        let ranking = Ranking::new(&[true, false, true, false, false], &[0.5, 0.5, 0.9, 0.1, 0.9]);
        // the first row is above one of three and ties with one, and so on; counted twice
        assert_eq!(ranking.placements(5), [3, 3, 5, 4, 1]);
    }

    #[test]
    fn the_two_zeros_are_a_tie() {
        let ranking = Ranking::new(&[true, false], &[-0.0, 0.0]);
        assert_eq!(ranking.wins(&[1, 1]).auc(), Some(0.5));
    }

    #[test]
    fn without_both_classes_there_is_no_area() {
        let ranking = Ranking::new(&[true, false], &[0.2, 0.1]);
        assert_eq!(ranking.wins(&[2, 0]).auc(), None);
        assert_eq!(ranking.wins(&[0, 2]).auc(), None);
        assert_eq!(ranking.wins(&[1, 1]).auc(), Some(1.0));
    }
}
