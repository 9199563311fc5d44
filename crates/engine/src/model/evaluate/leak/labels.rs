//! Whether something says what is to be predicted, under whatever name and in whatever code.

use std::collections::HashMap;

use stemma_table::{Cell, Header, Rows, Sameness, Source, TableError};

use super::wanted::{CLASSES_MAX, Wanted, are_many, hash};

/// Rows in a hundred that may say something else: labels are mended, too.
const EXCEPTIONS_PERCENT: usize = 5;

/// What one column says beside the target.
#[derive(Default)]
pub struct Carrier {
    rows: usize,
    equal: usize,
    /// What each value stood for when it was first met, and the other way round.
    codes: HashMap<u128, u128>,
    classes: HashMap<u128, u128>,
    broken: usize,
    /// Rows in which it says another value of the target: another answer, rather than a code for the same one.
    contradicts: usize,
}

impl Carrier {
    pub fn add(&mut self, value: u128, target: u128, wanted: &Wanted) {
        self.rows += 1;
        self.equal += usize::from(value == target);
        self.contradicts += usize::from(value != target && wanted.is_target(value));
        if wanted.has_classes() && self.codes.len() <= CLASSES_MAX {
            let fits = *self.codes.entry(value).or_insert(target) == target
                && *self.classes.entry(target).or_insert(value) == value;
            self.broken += usize::from(!fits);
        }
    }

    /// Equal values, or a code with one value for each class. Where all rows have one class, nothing speaks against it.
    /// A code in the target's own values, as where 0 and 1 changed places, needs more rows than chance brings together.
    pub fn says_target(&self, are_many: bool) -> bool {
        let most = self.rows * EXCEPTIONS_PERCENT / 100;
        let is_code = (1..=CLASSES_MAX).contains(&self.codes.len())
            && self.broken <= most
            && (are_many || self.contradicts <= most);
        self.rows > 0 && (self.rows - self.equal <= most || is_code)
    }
}

/// Whether another table says the target at these places: pairs of its row and the data's.
pub fn carried_at(source: &Source, wanted: &Wanted, places: &[(u64, usize)]) -> Result<bool, TableError> {
    let mut rows = Rows::open(source, Header::Guessed)?;
    let mut carriers: Vec<Carrier> = rows.schema.fields().iter().map(|_| Carrier::default()).collect();
    let mut at: HashMap<u64, usize> = places.iter().copied().collect();
    let mut number = 0;
    while let Some(batch) = rows.next_batch()? {
        for row in 0..batch.num_rows() {
            if let Some(mine) = at.remove(&number) {
                let target = wanted.target_of(mine, Sameness::Rounded);
                for (carrier, column) in carriers.iter_mut().zip(batch.columns()) {
                    carrier.add(hash(&Cell::at(column, row), Sameness::Rounded), target, wanted);
                }
            }
            number += 1;
        }
    }
    let are_many = are_many(places.len() as u64, number, wanted.row_count());
    Ok(carriers.iter().any(|carrier| carrier.says_target(are_many)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data's target has the values 1 and 2.
    fn says_target(pairs: &[(u128, u128)], are_many: bool) -> bool {
        let wanted = Wanted::with_targets([1, 2]);
        let mut carrier = Carrier::default();
        pairs.iter().for_each(|(value, target)| carrier.add(*value, *target, &wanted));
        carrier.says_target(are_many)
    }

    #[test]
    fn codes_and_equal_values_say_the_target() {
        for (pairs, expected) in [
            (&[(7, 1), (8, 2), (7, 1)][..], true),
            (&[(1, 1), (2, 2)], true),
            (&[(7, 1), (7, 2)], false),
            (&[(7, 1), (8, 1), (9, 2)], false),
            (&[(7, 1)], true),
            (&[], false),
        ] {
            assert_eq!(says_target(pairs, false), expected, "{pairs:?}");
        }
        let numbers: Vec<(u128, u128)> = (0..300).map(|row| (row + 1_000, row)).collect();
        assert!(!says_target(&numbers, true));
        let numbers: Vec<(u128, u128)> = (0..300).map(|row| (row, row)).collect();
        assert!(says_target(&numbers, false));
    }

    #[test]
    fn another_answer_is_no_code_for_the_same_one() {
        assert!(!says_target(&[(2, 1)], false));
        assert!(!says_target(&[(2, 1), (1, 2)], false));
        assert!(says_target(&[(2, 1), (1, 2)], true), "changed places in many rows");
    }
}
