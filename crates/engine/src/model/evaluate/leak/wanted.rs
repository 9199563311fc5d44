//! What is looked for: rows of the evaluation data, and what they say of the target.

use std::{collections::HashSet, sync::Arc};

use stemma_table::{Cell, Key, Sameness};

use crate::table::Table;

/// A target with more different values is a number, which no code stands for.
pub const CLASSES_MAX: usize = 100;
/// One row in so many of the smaller table: so many aren't alike by chance.
const ROWS_PER_CHANCE: u64 = 20;

/// What is looked for.
pub struct Wanted {
    pub table: Arc<Table>,
    /// The column that is to be predicted.
    pub target: usize,
    /// What it says, in all samenesses.
    targets: HashSet<u128>,
    /// How many different values that is.
    target_values: usize,
}

impl Wanted {
    pub fn of(table: Arc<Table>, target: usize) -> Self {
        let mut wanted = Self { table, target, targets: HashSet::new(), target_values: 0 };
        let said = |sameness| (0..wanted.row_count()).map(|row| wanted.target_of(row, sameness)).collect();
        let (rounded, single): (HashSet<u128>, HashSet<u128>) = (said(Sameness::Rounded), said(Sameness::Single));
        wanted.target_values = rounded.len();
        wanted.targets = rounded.into_iter().chain(single).collect();
        wanted
    }

    /// Whether the target's values are few enough to be classes, which a code may stand for.
    pub const fn has_classes(&self) -> bool {
        self.target_values <= CLASSES_MAX
    }

    /// Whether it is a value of the target in some row.
    pub fn is_target(&self, value: u128) -> bool {
        self.targets.contains(&value)
    }

    #[cfg(test)]
    pub fn with_targets(targets: impl IntoIterator<Item = u128>) -> Self {
        let table = Table::parse("t@1", b"x,y\n").expect("a table without rows");
        let targets: HashSet<u128> = targets.into_iter().collect();
        Self { table: Arc::new(table), target: 1, target_values: targets.len(), targets }
    }

    pub fn row_count(&self) -> usize {
        self.table.row_count()
    }

    pub fn target_of(&self, row: usize, sameness: Sameness) -> u128 {
        hash(&Cell::Text(self.table.cell(row, self.target)), sameness)
    }
}

/// Whether so many rows of an input are more than chance makes alike.
pub fn are_many(known: u64, rows: u64, wanted: usize) -> bool {
    known * ROWS_PER_CHANCE >= rows.min(wanted as u64)
}

pub fn hash(cell: &Cell<'_>, sameness: Sameness) -> u128 {
    Key::of([cell.clone()], sameness).0
}
