//! Whether something says what is to be predicted, under whatever name and in whatever code.

use std::collections::HashMap;

use stemma_table::{Cell, Header, Rows, Sameness, Source, TableError};

use super::{mixed::hash, search::Wanted};

/// A target with more different values is a number, which no code stands for.
const CLASSES_MAX: usize = 100;
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
}

impl Carrier {
    pub fn add(&mut self, value: u128, target: u128) {
        self.rows += 1;
        self.equal += usize::from(value == target);
        if self.codes.len() <= CLASSES_MAX {
            let fits = *self.codes.entry(value).or_insert(target) == target
                && *self.classes.entry(target).or_insert(value) == value;
            self.broken += usize::from(!fits);
        }
    }

    /// Equal values, or a code with one value for each class. Where all rows have one class, nothing speaks against it.
    pub fn says_target(&self) -> bool {
        let most = self.rows * EXCEPTIONS_PERCENT / 100;
        let is_code = self.codes.len() <= CLASSES_MAX && self.broken <= most;
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
                    carrier.add(hash(&Cell::at(column, row), Sameness::Rounded), target);
                }
            }
            number += 1;
        }
    }
    Ok(carriers.iter().any(Carrier::says_target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pairs: &[(u128, u128)], expected: bool) {
        let mut carrier = Carrier::default();
        pairs.iter().for_each(|(value, target)| carrier.add(*value, *target));
        assert_eq!(carrier.says_target(), expected, "{pairs:?}");
    }

    #[test]
    fn codes_and_equal_values_say_the_target() {
        check(&[(7, 1), (8, 2), (7, 1)], true);
        check(&[(1, 1), (2, 2)], true);
        check(&[(7, 1), (7, 2)], false);
        check(&[(7, 1), (8, 1), (9, 2)], false);
        check(&[(7, 1)], true);
        check(&[], false);
        let numbers: Vec<(u128, u128)> = (0..300).map(|row| (row + 1_000, row)).collect();
        check(&numbers, false);
        let numbers: Vec<(u128, u128)> = (0..300).map(|row| (row, row)).collect();
        check(&numbers, true);
    }
}
