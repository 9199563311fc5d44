//! What was refused of many: all of it is counted, and the first are told one by one.

use stemma_api::types::RefusedItem;
use stemma_core::Problem;

/// Refused ones that are told.
const TOLD_MAX: usize = 1_000;

/// What was refused of one request, with the places at which it stood there.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    count: u64,
    told: Vec<(usize, Problem)>,
}

impl Refusals {
    pub fn add(&mut self, at: usize, problem: Problem) {
        self.count += 1;
        self.tell(at, problem);
    }

    /// Takes over what was refused elsewhere of the same request.
    pub fn append(&mut self, more: Self) {
        self.count += more.count;
        more.told.into_iter().for_each(|(at, problem)| self.tell(at, problem));
    }

    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether the next one may be told; of the others no hint is worth its work.
    pub const fn has_room(&self) -> bool {
        self.told.len() < TOLD_MAX
    }

    /// The problem of the first, where one thing was sent.
    pub fn into_first(mut self) -> Option<Problem> {
        self.sort();
        self.told.into_iter().next().map(|(_, problem)| problem)
    }

    /// Those that are told, in their order.
    pub fn into_items(mut self) -> Vec<RefusedItem> {
        self.sort();
        let item = |(at, problem): (usize, Problem)| RefusedItem {
            at: at as u64,
            reason: problem.message,
            hint: problem.hint,
        };
        self.told.into_iter().map(item).collect()
    }

    /// They come in any order: what stands too far behind is let go from time to time.
    fn tell(&mut self, at: usize, problem: Problem) {
        self.told.push((at, problem));
        if self.told.len() >= 2 * TOLD_MAX {
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.told.sort_by_key(|(at, _)| *at);
        self.told.truncate(TOLD_MAX);
    }
}

impl FromIterator<(usize, Problem)> for Refusals {
    fn from_iter<I: IntoIterator<Item = (usize, Problem)>>(refused: I) -> Self {
        let mut refusals = Self::default();
        refused.into_iter().for_each(|(at, problem)| refusals.add(at, problem));
        refusals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_are_told_whatever_their_order() {
        let refused = (0..5_000).rev().map(|at| (at, Problem::invalid(format!("it is number {at}"))));
        let mut refusals: Refusals = refused.collect();
        refusals.append(std::iter::once((7, Problem::invalid("again").hint("once is enough"))).collect());
        assert!(refusals.count() == 5_001 && !refusals.has_room());
        let items = refusals.into_items();
        assert_eq!((items.len(), items[0].at, items[0].reason.as_str()), (TOLD_MAX, 0, "it is number 0"));
        assert_eq!((items[7].at, items[8].at, items[9].at), (7, 7, 8));
        assert_eq!(items[8].hint.as_deref(), Some("once is enough"));
    }
}
