//! A CSV file as text cells with named columns: what evaluations, data tests and leak checks read.

use std::{collections::HashSet, hash::Hasher as _};

use stemma_core::{Problem, near};

/// Most rows that are read into memory at once.
pub const ROWS_MAX: usize = 5_000_000;

/// A table whose rows all have the header's width.
#[derive(Debug, Clone)]
pub struct Table {
    /// For messages, as in `german-credit-test@1`.
    pub name: String,
    pub columns: Vec<String>,
    pub rows: Vec<csv::StringRecord>,
}

impl Table {
    /// Reads CSV with a header line (RFC 4180). Names the line of the first row that doesn't fit.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Problem> {
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(bytes);
        let bad = |error: csv::Error| Problem::invalid(format!("`{name}` is not a CSV table: {error}"));
        let columns: Vec<String> = reader.headers().map_err(bad)?.iter().map(str::to_owned).collect();
        let mut seen = HashSet::new();
        if let Some(twice) = columns.iter().find(|column| !seen.insert(column.as_str())) {
            return Err(Problem::invalid(format!("`{name}` has the column `{twice}` twice")));
        }
        let mut rows = Vec::new();
        for row in reader.records() {
            if rows.len() == ROWS_MAX {
                return Err(Problem::invalid(format!("`{name}` has more than {ROWS_MAX} rows")));
            }
            rows.push(row.map_err(bad)?);
        }
        Ok(Self { name: name.to_owned(), columns, rows })
    }

    /// Returns the position of a column, or a problem that lists near names.
    pub fn column(&self, wanted: &str) -> Result<usize, Problem> {
        self.columns.iter().position(|column| column == wanted).ok_or_else(|| {
            let all = format!("its columns are {}", self.columns.join(", "));
            let hint = near::hint(wanted, self.columns.iter().map(String::as_str), &all);
            Problem::invalid(format!("`{}` has no column `{wanted}`", self.name)).hint(hint)
        })
    }

    /// The line of the file a row starts on, if no cell holds a line break before it.
    pub fn line(&self, row: usize) -> u64 {
        self.rows[row].position().map_or(row as u64 + 2, csv::Position::line)
    }

    /// Returns, for each row of `self`, whether a row of `other` has the same cells in all columns that both have.
    ///
    /// Nothing is shared unless all of `required` are among those columns: a table without the label can't teach it.
    pub fn rows_also_in(&self, other: &Table, required: &str) -> Vec<bool> {
        let shared: Vec<(usize, usize)> = self
            .columns
            .iter()
            .enumerate()
            .filter_map(|(mine, name)| Some((mine, other.columns.iter().position(|theirs| theirs == name)?)))
            .collect();
        if !shared.iter().any(|(mine, _)| self.columns[*mine] == required) || shared.len() < 2 {
            return vec![false; self.rows.len()];
        }
        self.rows_in(other, &shared)
    }

    /// Returns, for each row of `self`, whether a row of `other` has the same cells in pairs of columns.
    pub fn rows_in(&self, other: &Table, columns: &[(usize, usize)]) -> Vec<bool> {
        let theirs: HashSet<u128> =
            other.rows.iter().map(|row| row_key(row, columns.iter().map(|(_, theirs)| *theirs))).collect();
        self.rows.iter().map(|row| theirs.contains(&row_key(row, columns.iter().map(|(mine, _)| *mine)))).collect()
    }

    /// A key of some cells of a row as they are written: `007` is not `7`.
    pub fn text_key(&self, row: usize, columns: &[usize]) -> u128 {
        let mut key = Key::new();
        for column in columns {
            key.add(self.rows[row].get(*column).unwrap_or_default().trim());
        }
        key.finish()
    }
}

/// A 128-bit key of a row's cells; equal texts and equal numbers (`1`, `1.0`) give equal keys.
fn row_key(row: &csv::StringRecord, columns: impl Iterator<Item = usize>) -> u128 {
    let mut key = Key::new();
    for column in columns {
        let cell = row.get(column).unwrap_or_default().trim();
        match cell.parse::<f64>() {
            Ok(number) => key.add(&number.to_string()),
            Err(_) => key.add(cell),
        }
    }
    key.finish()
}

/// Two hashes of the same texts, which together are not met twice by chance.
struct Key(std::hash::DefaultHasher, std::hash::DefaultHasher);

impl Key {
    fn new() -> Self {
        let mut high = std::hash::DefaultHasher::new();
        high.write_u8(1);
        Self(std::hash::DefaultHasher::new(), high)
    }

    fn add(&mut self, text: &str) {
        for hasher in [&mut self.0, &mut self.1] {
            hasher.write(text.as_bytes());
            hasher.write_u8(0xff);
        }
    }

    fn finish(&self) -> u128 {
        u128::from(self.0.finish()) << 64 | u128::from(self.1.finish())
    }
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
        assert!(Table::parse("t@1", b"a,b\n\xff,1\n").is_err());
        let hint = table("status,age\n").column("agee").unwrap_err().hint;
        assert_eq!(hint.as_deref(), Some("did you mean `age`?"));
    }

    #[test]
    fn rows_are_found_whatever_the_order_of_columns_and_spelling_of_numbers() {
        let test = table("a,b,y\n1,x,good\n2,y,bad\n3,z,bad\n");
        let train = table("y,b,a,extra\nbad,y,2.0,q\ngood,x,7,q\n");
        assert_eq!(test.rows_also_in(&train, "y"), [false, true, false]);
    }

    #[test]
    fn a_table_without_the_target_teaches_nothing() {
        let test = table("a,b,y\n1,x,good\n");
        assert_eq!(test.rows_also_in(&table("a,b\n1,x\n"), "y"), [false]);
    }
}
