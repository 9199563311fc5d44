//! A table in memory as text cells with named columns: what evaluations and data tests read.

use std::collections::HashSet;

use stemma_core::{Problem, near};
use stemma_table::{Cell, Header, Key, Rows, Sameness, Source, TableError, is_readable};

/// Most rows that are read into memory at once.
pub const ROWS_MAX: usize = 5_000_000;
/// Most bytes of text that a table takes.
const TEXT_BYTES_MAX: usize = 2 << 30;
/// Most cells that a table has; each takes some bytes beside its text.
const CELLS_MAX: usize = 128 << 20;
/// Columns that a message lists.
const LISTED: usize = 30;

/// A table whose rows all have the header's width.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// For messages, as in `german-credit-test@1`.
    pub name: String,
    pub columns: Vec<String>,
    /// Which columns hold numbers of 32 bits.
    singles: Vec<bool>,
    /// The cells one after the other, row by row.
    text: String,
    /// Where each cell ends; not beyond [`TEXT_BYTES_MAX`] and one batch.
    ends: Vec<u32>,
    /// Where each row stands in the file.
    lines: Vec<u64>,
    /// Columns of types that text can't say, with their type.
    left_out: Vec<(String, String)>,
}

impl Table {
    /// Reads a table in any form; text has a header line. Names the line of the first row that doesn't fit.
    pub fn read(name: &str, source: &Source) -> Result<Self, Problem> {
        let unreadable = |error: TableError| Problem::invalid(format!("`{name}` can't be read as a table: {error}"));
        let mut rows = Rows::open(source, Header::First).map_err(unreadable)?;
        let (mut table, kept) = Self::with_columns_of(name, &rows)?;
        while let Some(batch) = rows.next_batch().map_err(unreadable)? {
            for row in 0..batch.num_rows() {
                table.check_room(kept.len())?;
                table.lines.push(rows.place(row, &batch));
                for column in &kept {
                    let cell = Cell::at(batch.column(*column), row);
                    // a float that is no number is a cell without a value
                    if matches!(cell, Cell::Text(_)) || !cell.is_missing() {
                        table.text.push_str(&cell.text());
                    }
                    table.ends.push(table.end()?);
                }
            }
        }
        Ok(table)
    }

    /// Whether there is room for one row more.
    fn check_room(&self, columns: usize) -> Result<(), Problem> {
        let is_full = self.lines.len() == ROWS_MAX || self.text.len() > TEXT_BYTES_MAX;
        if is_full || self.ends.len() + columns > CELLS_MAX {
            let most = format!("{ROWS_MAX} rows, {CELLS_MAX} cells or {TEXT_BYTES_MAX} bytes");
            return Err(Problem::invalid(format!("`{}` has more than {most}", self.name)));
        }
        Ok(())
    }

    fn end(&self) -> Result<u32, Problem> {
        u32::try_from(self.text.len())
            .map_err(|_| Problem::invalid(format!("a row of `{}` is longer than can be read", self.name)))
    }

    /// The same of bytes in memory.
    #[cfg(test)]
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Problem> {
        let source: Source = std::sync::Arc::new(bytes.to_vec());
        Self::read(name, &source)
    }

    /// An empty table, and which of the file's columns are its own.
    fn with_columns_of(name: &str, rows: &Rows) -> Result<(Self, Vec<usize>), Problem> {
        let mut table = Self { name: name.to_owned(), ..Self::default() };
        let (mut kept, mut seen) = (Vec::new(), HashSet::new());
        for (at, field) in rows.schema.fields().iter().enumerate() {
            if !seen.insert(field.name()) {
                return Err(Problem::invalid(format!("`{name}` has the column `{}` twice", field.name())));
            }
            if !is_readable(field.data_type()) {
                table.left_out.push((field.name().clone(), field.data_type().to_string()));
                continue;
            }
            table.singles.push(stemma_table::is_single(field.data_type()));
            table.columns.push(field.name().clone());
            kept.push(at);
        }
        Ok((table, kept))
    }

    /// Columns that are not read, with their type.
    pub fn left_out(&self) -> impl Iterator<Item = (&str, &str)> {
        self.left_out.iter().map(|(name, kind)| (name.as_str(), kind.as_str()))
    }

    pub fn row_count(&self) -> usize {
        self.lines.len()
    }

    /// The text of a cell; empty for nothing.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        let at = row * self.columns.len() + column;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.text[start..self.ends[at] as usize]
    }

    /// The cells of a column, from the first row to the last.
    pub fn cells(&self, column: usize) -> impl Iterator<Item = &str> {
        (0..self.row_count()).map(move |row| self.cell(row, column))
    }

    /// Returns the position of a column, or a problem that lists near names.
    pub fn column(&self, wanted: &str) -> Result<usize, Problem> {
        if let Some(position) = self.columns.iter().position(|column| column == wanted) {
            return Ok(position);
        }
        if let Some((_, kind)) = self.left_out.iter().find(|(column, _)| column == wanted) {
            let problem = Problem::invalid(format!("column `{wanted}` of `{}` has the type {kind}", self.name));
            return Err(problem.hint("write it as a number, a text, a time or true and false"));
        }
        Err(no_column(&self.name, wanted, &self.columns))
    }

    /// Whether a column's numbers have 32 bits, so that they have no more digits than these hold.
    pub fn is_single(&self, column: usize) -> bool {
        self.singles[column]
    }

    /// The line of the file a row starts on; without lines its number, from 1.
    pub fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// Returns, for each row of `self`, whether a row of `other` has the same cells in pairs of columns.
    pub fn rows_in(&self, other: &Table, pairs: &[Pair]) -> Vec<bool> {
        let theirs: HashSet<Key> =
            (0..other.row_count()).map(|row| other.key(row, pairs, |pair| pair.theirs)).collect();
        (0..self.row_count()).map(|row| theirs.contains(&self.key(row, pairs, |pair| pair.mine))).collect()
    }

    fn key(&self, row: usize, pairs: &[Pair], column: impl Fn(&Pair) -> usize) -> Key {
        Key::of_each(pairs.iter().map(|pair| (Cell::Text(self.cell(row, column(pair))), pair.sameness)))
    }

    /// A key of some cells of a row as they are written: `007` is not `7`.
    pub fn text_key(&self, row: usize, columns: &[usize]) -> Key {
        Key::of_each(columns.iter().map(|column| (Cell::Text(self.cell(row, *column)), Sameness::Text)))
    }
}

/// Columns of two tables that are compared, and how.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    pub mine: usize,
    pub theirs: usize,
    pub sameness: Sameness,
}

impl Pair {
    /// All columns that both tables have, whatever their order.
    pub fn shared(mine: &Table, theirs: &Table) -> Vec<Self> {
        let pair = |(at, name): (usize, &String)| {
            let theirs = theirs.columns.iter().position(|column| column == name)?;
            Some(Self { mine: at, theirs, sameness: Sameness::Value })
        };
        mine.columns.iter().enumerate().filter_map(pair).collect()
    }
}

/// A problem that lists near names, or all.
pub fn no_column(name: &str, wanted: &str, columns: &[String]) -> Problem {
    let mut all = columns.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if columns.len() > LISTED {
        all.push_str(&format!(" and {} more", columns.len() - LISTED));
    }
    let hint = near::hint(wanted, columns.iter().map(String::as_str), &format!("its columns are {all}"));
    Problem::invalid(format!("`{name}` has no column `{wanted}`")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        Table::parse("t@1", text.as_bytes()).unwrap()
    }

    #[test]
    fn bad_tables_are_named_with_the_line() {
        let error = Table::parse("t@1", b"a,b\n1,2\n3\n").unwrap_err();
        assert!(error.message.contains("line: 3"), "{error}");
        assert!(Table::parse("t@1", b"a,a\n").unwrap_err().message.contains("twice"));
        let error = Table::parse("t@1", b"\x80\x04\x95\0").unwrap_err();
        assert_eq!(error.message, "`t@1` can't be read as a table: it is a Python pickle");
        let hint = table("status,age\n").column("agee").unwrap_err().hint;
        assert_eq!(hint.as_deref(), Some("did you mean `age`?"));
    }

    #[test]
    fn cells_are_found_by_row_and_column() {
        let table = table("a,b\n1,\n,\"x,y\"\n");
        assert_eq!((table.row_count(), table.cell(0, 0), table.cell(0, 1)), (2, "1", ""));
        assert_eq!((table.cell(1, 0), table.cell(1, 1), table.line(1)), ("", "x,y", 3));
        assert_eq!(table.cells(1).collect::<Vec<_>>(), ["", "x,y"]);
    }

    #[test]
    fn rows_are_found_whatever_the_order_of_columns_and_spelling_of_numbers() {
        let one = table("a,b,y\n1,x,good\n2,y,bad\n3,z,bad\n9007199254740993,z,bad\n");
        let other = table("y,b,a,extra\nbad,y,2.0,q\ngood,x,7,q\nbad,z,9007199254740992,q\n");
        assert_eq!(one.rows_in(&other, &Pair::shared(&one, &other)), [false, true, false, false]);
    }
}
