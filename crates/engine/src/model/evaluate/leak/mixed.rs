//! Rows by their values alone: an input without names, or with other ones, in any order of columns.
//!
//! A row is the sum of the hashes of its cells, which no order changes; what it has more or less is a difference.

use std::collections::{HashMap, HashSet};

use arrow_array::RecordBatch;
use serde_json::Value;
use stemma_table::{Cell, Sameness};

use super::{
    columns::{differences_max, is_telling, is_tolerant},
    wanted::{Wanted, hash},
};

/// With more cells no two of them are left out together, as pairs are many.
const PAIRED_CELLS_MAX: usize = 40;
/// With more cells than this, and twice the data's, a row is no row.
const CELLS_MAX: usize = 64;

/// The data's rows as sums.
pub struct Sums {
    sameness: Sameness,
    /// Of all cells.
    whole: HashMap<u128, Vec<usize>>,
    /// Of all but what is to be predicted.
    features: HashMap<u128, Vec<usize>>,
    /// The same without one of many cells.
    nearly: HashMap<u128, Vec<usize>>,
    columns: usize,
    /// Most cells that a row of the data has, lists taken apart.
    cells: usize,
    pub is_telling: bool,
}

/// How a row is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// With what is to be predicted.
    Whole,
    /// Without it.
    Features,
    /// Without it and one of its many cells.
    Nearly,
}

/// What a row of an input is like.
pub struct Like {
    pub rows: Vec<usize>,
    pub known: KnownBy,
    /// Cells that are no values of the row, of which one may say what is to be predicted.
    pub others: Vec<u128>,
}

impl Sums {
    pub fn new(wanted: &Wanted, sameness: Sameness) -> Self {
        let [mut whole, mut features, mut nearly]: [HashMap<u128, Vec<usize>>; 3] = Default::default();
        let columns = wanted.table.columns.len();
        let mut most = 0;
        for row in 0..wanted.row_count() {
            let mut cells = Vec::new();
            let others = (0..columns).filter(|column| *column != wanted.target);
            others.for_each(|column| flatten(&Cell::Text(wanted.table.cell(row, column)), sameness, &mut cells));
            let sum = sum(&cells);
            let target = hash(&Cell::Text(wanted.table.cell(row, wanted.target)), sameness);
            most = most.max(cells.len() + 1);
            whole.entry(sum.wrapping_add(target)).or_default().push(row);
            features.entry(sum).or_default().push(row);
            if is_tolerant(wanted, cells.len()) {
                let without: HashSet<u128> = cells.iter().map(|cell| sum.wrapping_sub(*cell)).collect();
                without.into_iter().for_each(|sum| nearly.entry(sum).or_default().push(row));
            }
        }
        let is_telling = is_telling(wanted, whole.values().map(Vec::len));
        Self { sameness, whole, features, nearly, columns, cells: most, is_telling }
    }

    pub const fn sameness(&self) -> Sameness {
        self.sameness
    }

    /// Whether an input with so many columns could hold the rows.
    pub fn could_hold(&self, columns: usize) -> bool {
        let features = self.columns - 1;
        columns + differences_max(features) >= features
    }

    /// A row that holds much more than a row of the data may hold many of them.
    pub fn is_oversized(&self, cells: usize) -> bool {
        cells > CELLS_MAX.max(2 * self.cells)
    }

    pub fn cells(&self, batch: &RecordBatch, row: usize) -> Vec<u128> {
        let mut cells = Vec::new();
        batch.columns().iter().for_each(|column| flatten(&Cell::at(column, row), self.sameness, &mut cells));
        cells
    }

    /// What these cells are, if one or two of them may be something else.
    pub fn like(&self, cells: &[u128]) -> Option<Like> {
        let sum = sum(cells);
        if let Some(like) = self.known(sum, &[]) {
            return Some(like);
        }
        let without_one = cells.iter().find_map(|cell| self.known(sum.wrapping_sub(*cell), &[*cell]));
        if without_one.is_some() || cells.len() > PAIRED_CELLS_MAX {
            return without_one;
        }
        let pairs =
            cells.iter().enumerate().flat_map(|(at, one)| cells[at + 1..].iter().map(move |other| (*one, *other)));
        pairs.into_iter().find_map(|(one, other)| self.known(sum.wrapping_sub(one).wrapping_sub(other), &[one, other]))
    }

    fn known(&self, sum: u128, others: &[u128]) -> Option<Like> {
        let found =
            [(&self.whole, KnownBy::Whole), (&self.features, KnownBy::Features), (&self.nearly, KnownBy::Nearly)];
        let found = found.into_iter().find_map(|(rows, known)| Some((rows.get(&sum)?, known)));
        found.map(|(rows, known)| Like { rows: rows.clone(), known, others: others.to_vec() })
    }
}

fn sum(cells: &[u128]) -> u128 {
    cells.iter().fold(0, |sum, cell| sum.wrapping_add(*cell))
}

/// A list's cells, one by one, also of a list that is written as JSON.
fn flatten(cell: &Cell<'_>, sameness: Sameness, to: &mut Vec<u128>) {
    match cell {
        Cell::List(list) => (0..list.len()).for_each(|at| flatten(&Cell::at(list, at), sameness, to)),
        Cell::Text(text) if text.trim_start().starts_with(['[', '{']) => match serde_json::from_str(text) {
            Ok(value) => flatten_json(&value, sameness, to),
            Err(_) => to.push(hash(cell, sameness)),
        },
        cell => to.push(hash(cell, sameness)),
    }
}

fn flatten_json(value: &Value, sameness: Sameness, to: &mut Vec<u128>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| flatten_json(value, sameness, to)),
        Value::Object(values) => values.values().for_each(|value| flatten_json(value, sameness, to)),
        Value::Null => to.push(hash(&Cell::Null, sameness)),
        Value::String(text) => to.push(hash(&Cell::Text(text), sameness)),
        other => to.push(hash(&Cell::Text(&other.to_string()), sameness)),
    }
}
