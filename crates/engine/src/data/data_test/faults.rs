//! What is wrong with rows, and how it is said.

use stemma_core::record::{BadRow, CheckResult};

use crate::table::Table;

/// Bad rows that are shown.
const EXAMPLES_MAX: usize = 5;
/// Characters of a value that are shown.
const VALUE_CHARS_MAX: usize = 80;

/// What is wrong with some rows, collected while they are read.
pub struct Faults<'a> {
    table: &'a Table,
    pub count: u64,
    examples: Vec<BadRow>,
}

impl<'a> Faults<'a> {
    pub const fn new(table: &'a Table) -> Self {
        Self { table, count: 0, examples: Vec::new() }
    }

    pub fn add(&mut self, row: usize, value: impl FnOnce() -> String, why: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES_MAX {
            let (value, why) = (shortened(&value()), why());
            self.examples.push(BadRow { line: self.table.line(row), value, why });
        }
    }

    /// As in `3 of 40 values don't fit (7.5 %)`, or what is said when there is no fault.
    pub fn result(self, what: String, of: u64, bad: &str, good: String) -> CheckResult {
        let found = match self.count {
            0 => good,
            count => format!("{count} of {of} {bad} ({})", percent(count, of)),
        };
        let bad_rows = (self.count > 0).then_some([self.count, of]);
        CheckResult { bad_rows, examples: self.examples, ..CheckResult::new(what, self.count == 0, found) }
    }
}

pub fn percent(count: u64, of: u64) -> String {
    if of == 0 { "–".to_owned() } else { format!("{:.1} %", count as f64 * 100.0 / of as f64) }
}

pub fn shortened(value: &str) -> String {
    if value.chars().count() <= VALUE_CHARS_MAX {
        return value.to_owned();
    }
    value.chars().take(VALUE_CHARS_MAX).chain(['…']).collect()
}

/// The cell as a finite number.
pub fn number(cell: &str) -> Option<f64> {
    cell.trim().parse().ok().filter(|number: &f64| number.is_finite())
}
