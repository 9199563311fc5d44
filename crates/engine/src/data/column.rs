//! One column, read: its cells, and how often each value is there.

mod kind;

use std::collections::{HashMap, HashSet};

use stemma_api::types::ColumnKind;

use self::kind::kind_of;
pub use self::kind::number;
use crate::table::Table;

/// A column that was read.
pub struct Column<'a> {
    pub name: &'a str,
    pub kind: ColumnKind,
    /// Cell by cell, as they are written.
    pub cells: Vec<&'a str>,
    /// Each different value as it is written, with how often it is there.
    pub values: HashMap<&'a str, u64>,
}

impl<'a> Column<'a> {
    pub fn read(table: &'a Table, at: usize) -> Self {
        let cells: Vec<&str> = table.cells(at).collect();
        let mut values = HashMap::new();
        for cell in cells.iter().filter(|cell| !cell.trim().is_empty()) {
            *values.entry(*cell).or_default() += 1;
        }
        let kind = kind_of(values.keys().map(|value| value.trim()));
        Self { name: &table.columns[at], kind, cells, values }
    }

    pub const fn is_numeric(&self) -> bool {
        matches!(self.kind, ColumnKind::Integer | ColumnKind::Number)
    }

    pub fn missing(&self) -> u64 {
        self.cells.len() as u64 - self.present()
    }

    pub fn present(&self) -> u64 {
        self.values.values().sum()
    }

    pub fn distinct(&self) -> u64 {
        if !self.is_numeric() {
            return self.values.len() as u64;
        }
        // `1` and `1.0`, and both zeros, are one number
        let bits = |value: &&str| number(value.trim()).map(|number| (number + 0.0).to_bits());
        self.values.keys().filter_map(bits).collect::<HashSet<_>>().len() as u64
    }
}
