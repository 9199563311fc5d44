//! What a table may be at most, whatever its form. Memory is bounded by these and by a batch, not by what a file says.

use crate::error::TableError;

/// Most columns of a table.
pub const COLUMNS_MAX: usize = 100_000;
/// Most rows of a batch.
pub const BATCH_ROWS: usize = 1_000;
/// Most cells of a batch, so that wide tables come in fewer rows at once.
const BATCH_CELLS_MAX: usize = 4 << 20;
/// A batch of long rows ends before it has its full number.
pub(crate) const BATCH_LEN: usize = 32 << 20;
/// Most delimiters in one row of text, those in quotation marks counted: a row of nothing else would take a hundred
/// times its length in memory.
pub const ROW_DELIMITERS_MAX: usize = 1 << 20;

/// Refuses a table that is too wide.
pub fn check_columns(count: usize) -> Result<(), TableError> {
    match count {
        count if count > COLUMNS_MAX => Err(too_many_columns(count)),
        _ => Ok(()),
    }
}

fn too_many_columns(count: usize) -> TableError {
    TableError::Malformed(format!("it has {count} columns, and {COLUMNS_MAX} are read"))
}

/// Rows that a batch of so many columns has.
pub(crate) fn batch_rows(columns: usize) -> usize {
    (BATCH_CELLS_MAX / columns.max(1)).clamp(1, BATCH_ROWS)
}

/// Delimiters that a row may still have. Counted where bytes are read, which is ahead of the rows by no more than a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Delimiters {
    delimiter: u8,
    read_ahead: usize,
    left: usize,
}

impl Delimiters {
    pub fn new(delimiter: u8, read_ahead: usize) -> Self {
        let mut new = Self { delimiter, read_ahead, left: 0 };
        new.begin_row();
        new
    }

    pub fn begin_row(&mut self) {
        self.left = ROW_DELIMITERS_MAX + self.read_ahead;
    }

    /// Counts what was read; an error if it can't be one row.
    pub fn count(&mut self, read: &[u8]) -> std::io::Result<()> {
        let count = read.iter().filter(|byte| **byte == self.delimiter).count();
        let left = self.left.checked_sub(count);
        let too_many = || std::io::Error::other(format!("a row has more than {ROW_DELIMITERS_MAX} delimiters"));
        self.left = left.ok_or_else(too_many)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_bounded_in_width_and_batches_in_cells() {
        assert!(check_columns(COLUMNS_MAX).is_ok());
        let message = check_columns(COLUMNS_MAX + 1).unwrap_err().to_string();
        assert_eq!(message, "it has 100001 columns, and 100000 are read");
        for (columns, rows) in [(0, 1000), (1, 1000), (4194, 1000), (4195, 999), (100_000, 41), (5_000_000, 1)] {
            assert_eq!(batch_rows(columns), rows, "{columns}");
        }
    }

    #[test]
    fn delimiters_are_counted_up_to_the_bound() {
        let mut delimiters = Delimiters::new(b',', 10);
        delimiters.count(&[b','; ROW_DELIMITERS_MAX + 10]).unwrap();
        delimiters.count(b"abc").unwrap();
        assert!(delimiters.count(b",").is_err());
        delimiters.begin_row();
        delimiters.count(b",").unwrap();
    }
}
