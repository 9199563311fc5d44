//! Which columns of an input stand for which of the evaluation data, by their names, and rows by what is in them.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use stemma_table::{Cell, Sameness, is_single};

use super::wanted::{Wanted, hash};

/// One column in so many may differ, and the row is still the same.
const COLUMNS_PER_DIFFERENCE: usize = 10;
/// A row is known without one of its columns only if hardly two of the data are alike there.
const ALIKE_MAX: f64 = 0.01;
/// Cells of data whose rows are also known without one of them: each takes memory.
const TOLERANT_CELLS_MAX: usize = 2_000_000;
/// An odd number without a pattern: it gives each column's hashes a place of their own.
const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// Pairs of columns with one name: the data's, the input's, and how they are compared.
pub type Pairs = Vec<(usize, usize, Sameness)>;

pub fn pairs(wanted: &Wanted, schema: &Schema) -> Pairs {
    let pair = |(mine, name): (usize, &String)| {
        let theirs = schema.fields().iter().position(|field| field.name().trim() == name.trim())?;
        let single = wanted.table.is_single(mine) || is_single(schema.field(theirs).data_type());
        Some((mine, theirs, if single { Sameness::Single } else { Sameness::Rounded }))
    };
    wanted.table.columns.iter().enumerate().filter_map(pair).collect()
}

/// How many of the data's columns may be missing or differ.
pub const fn differences_max(columns: usize) -> usize {
    columns / COLUMNS_PER_DIFFERENCE
}

/// Whether rows may also be known without one of so many cells each.
pub fn is_tolerant(wanted: &Wanted, cells: usize) -> bool {
    differences_max(cells) > 0 && wanted.row_count().saturating_mul(cells) <= TOLERANT_CELLS_MAX
}

/// Whether hardly any rows of the data are alike; given how many there are of each kind.
pub fn is_telling(wanted: &Wanted, counts: impl Iterator<Item = usize>) -> bool {
    let alike: usize = counts.filter(|count| *count > 1).sum();
    alike as f64 <= ALIKE_MAX * wanted.row_count() as f64
}

/// Columns that are compared, and the data's rows by what is in them: a row is the sum of its cells' hashes, each spread
/// by its column, so that one cell is easily left out.
pub struct Lens {
    columns: Vec<(usize, Sameness)>,
    exact: HashMap<u128, Vec<usize>>,
    /// Without one of the columns, by its place here.
    without: Vec<(usize, HashMap<u128, Vec<usize>>)>,
}

impl Lens {
    pub fn new(wanted: &Wanted, pairs: &Pairs) -> Self {
        let hashes = |row: usize| -> Vec<u128> {
            let cell = |(at, (mine, _, sameness)): (usize, &(usize, usize, Sameness))| {
                spread(at, &Cell::Text(wanted.table.cell(row, *mine)), *sameness)
            };
            pairs.iter().enumerate().map(cell).collect()
        };
        let mut exact: HashMap<u128, Vec<usize>> = HashMap::new();
        let tolerated = if is_tolerant(wanted, pairs.len()) { pairs.len() } else { 0 };
        let mut without: Vec<(usize, HashMap<u128, Vec<usize>>)> =
            (0..tolerated).map(|at| (at, HashMap::new())).collect();
        for row in 0..wanted.row_count() {
            let hashes = hashes(row);
            let sum = sum(&hashes);
            exact.entry(sum).or_default().push(row);
            for (at, rows) in &mut without {
                rows.entry(sum.wrapping_sub(hashes[*at])).or_default().push(row);
            }
        }
        without.retain(|(_, rows)| is_telling(wanted, rows.values().map(Vec::len)));
        Self { columns: pairs.iter().map(|(_, theirs, sameness)| (*theirs, *sameness)).collect(), exact, without }
    }

    /// The rows of the data that a row of the input is, or else those that differ in one of many columns, and in which.
    pub fn like<'lens>(&'lens self, batch: &RecordBatch, row: usize) -> Option<(&'lens [usize], Option<usize>)> {
        let cells = self.columns.iter().enumerate();
        let hashes: Vec<u128> = cells
            .map(|(at, (column, sameness))| spread(at, &Cell::at(batch.column(*column), row), *sameness))
            .collect();
        let sum = sum(&hashes);
        if let Some(rows) = self.exact.get(&sum) {
            return Some((rows, None));
        }
        let near = |(at, rows): &'lens (usize, HashMap<u128, Vec<usize>>)| {
            rows.get(&sum.wrapping_sub(hashes[*at])).map(|rows| (rows.as_slice(), Some(*at)))
        };
        self.without.iter().find_map(near)
    }
}

fn spread(at: usize, cell: &Cell<'_>, sameness: Sameness) -> u128 {
    hash(cell, sameness).wrapping_mul(SPREAD.wrapping_mul(2 * at as u128 + 1))
}

fn sum(hashes: &[u128]) -> u128 {
    hashes.iter().fold(0, |sum, hash| sum.wrapping_add(*hash))
}
