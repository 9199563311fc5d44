//! How much two things have in common, by what is known of them.

use std::collections::BTreeSet;

use crate::Fact;

/// The facts of two things: those of both and those of one, each in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Similarity<'a> {
    pub shared: Vec<&'a Fact>,
    pub only_one: Vec<&'a Fact>,
    pub only_other: Vec<&'a Fact>,
}

impl<'a> Similarity<'a> {
    pub fn of(one: &'a BTreeSet<Fact>, other: &'a BTreeSet<Fact>) -> Self {
        Self {
            shared: one.intersection(other).collect(),
            only_one: one.difference(other).collect(),
            only_other: other.difference(one).collect(),
        }
    }

    /// Returns |M₁ ∩ M₂| / |M₁ ∪ M₂|, or nothing if nothing is known of either (Jaccard, *The Distribution of the Flora
    /// in the Alpine Zone*, New Phytologist 11, 1912).
    ///
    /// A value that differs counts as two facts, one on each side.
    pub fn share(&self) -> Option<f64> {
        let all = self.shared.len() + self.only_one.len() + self.only_other.len();
        (all > 0).then(|| self.shared.len() as f64 / all as f64)
    }
}
