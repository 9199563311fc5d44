//! Two tables, row by row: matched by key columns, or counted as a multiset of rows.
//!
//! Both are read once, side by side. A row that stands at the same place with the same key is settled there; all others
//! go into partitions by the hash of their key ([`partitions`]), so that memory is bounded however long the tables are.

mod partitions;
mod read;
mod row;
mod settle;

use std::{fmt, io, path::PathBuf};

use serde::Serialize;
use stemma_table::Source;

use self::{
    partitions::{Entry, Partitions},
    read::Reader,
    settle::Tally,
};

#[derive(Debug, Clone)]
pub struct TableOptions {
    /// Columns that tell rows apart; without them a row is itself.
    pub key: Vec<String>,
    /// Rows of each kind that are shown.
    pub examples: usize,
    /// Where temporary files go.
    pub folder: PathBuf,
    /// Bytes of rows that are held in memory; what is more goes into temporary files.
    pub held_max: usize,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self { key: Vec::new(), examples: 10, folder: std::env::temp_dir(), held_max: 128 << 20 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Before,
    After,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "the old table",
            Self::After => "the new table",
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("{side} can't be read: {what}")]
    Malformed { side: Side, what: String },
    #[error("{side} has the column `{column}` twice")]
    ColumnTwice { side: Side, column: String },
    #[error("{side} has no column `{column}`")]
    NoColumn { side: Side, column: String, columns: Vec<String> },
    #[error("the tables have no column in common")]
    NothingShared,
    #[error("temporary files: {0}")]
    Temporary(#[from] io::Error),
}

/// What changed between two tables. Rows are compared in the columns that both have.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TableDiff {
    pub key: Vec<String>,
    /// The columns that both have: the key's first.
    pub columns: Vec<String>,
    pub columns_added: Vec<String>,
    pub columns_removed: Vec<String>,
    pub columns_retyped: Vec<TypeChange>,
    pub rows_before: u64,
    pub rows_after: u64,
    pub added: u64,
    pub removed: u64,
    /// Rows with the same key and other cells; always 0 without a key.
    pub changed: u64,
    pub unchanged: u64,
    /// Keys that several rows of one side have. Their rows are counted nowhere else.
    pub duplicate_keys: u64,
    /// Columns with changes, and in how many of the changed rows.
    pub column_changes: Vec<ColumnChanges>,
    pub first_added: Vec<Row>,
    pub first_removed: Vec<Row>,
    pub first_changed: Vec<ChangedRow>,
    pub first_duplicates: Vec<DuplicateKey>,
}

impl TableDiff {
    pub fn has_same_schema(&self) -> bool {
        self.columns_added.is_empty() && self.columns_removed.is_empty() && self.columns_retyped.is_empty()
    }

    pub fn is_same(&self) -> bool {
        self.has_same_schema() && self.added + self.removed + self.changed + self.duplicate_keys == 0
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TypeChange {
    pub column: String,
    pub before: String,
    pub after: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnChanges {
    pub column: String,
    pub changed: u64,
}

/// Cells in the order of [`TableDiff::columns`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The first row after the header is 1.
    pub number: u64,
    pub cells: Vec<Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedRow {
    /// In the new table.
    pub number: u64,
    pub key: Vec<Option<String>>,
    pub cells: Vec<ChangedCell>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedCell {
    pub column: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DuplicateKey {
    pub key: Vec<Option<String>>,
    pub rows_before: u64,
    pub rows_after: u64,
}

/// Compares two tables. `progress` is told the rows that were read.
pub fn diff_tables(
    before: &Source,
    after: &Source,
    options: &TableOptions,
    mut progress: impl FnMut(u64),
) -> Result<TableDiff, TableError> {
    let mut old = Reader::open(before, Side::Before)?;
    let mut new = Reader::open(after, Side::After)?;
    let mut found = schemas(&old, &new, &options.key)?;
    old.select(&found.columns)?;
    new.select(&found.columns)?;
    let partitions = read_both(&mut old, &mut new, &mut found, options, &mut progress)?;
    Tally::new(options.examples, &mut found).settle(partitions)?;
    Ok(found)
}

/// What the columns say; all rows are still to come.
fn schemas(old: &Reader, new: &Reader, key: &[String]) -> Result<TableDiff, TableError> {
    for (reader, side) in [(old, Side::Before), (new, Side::After)] {
        if let Some(missing) = key.iter().find(|column| reader.position(column).is_none()) {
            let columns = reader.names().map(str::to_owned).collect();
            return Err(TableError::NoColumn { side, column: missing.clone(), columns });
        }
    }
    let only = |one: &Reader, other: &Reader| -> Vec<String> {
        one.names().filter(|name| other.position(name).is_none()).map(str::to_owned).collect()
    };
    let shared = new.names().filter(|name| old.position(name).is_some() && !key.iter().any(|key| key == name));
    let columns: Vec<String> = key.iter().cloned().chain(shared.map(str::to_owned)).collect();
    if columns.is_empty() {
        return Err(TableError::NothingShared);
    }
    let retyped = columns.iter().filter_map(|column| {
        let (before, after) = (old.kind(column)?, new.kind(column)?);
        (before != after).then(|| TypeChange { column: column.clone(), before: before.into(), after: after.into() })
    });
    Ok(TableDiff {
        key: key.to_vec(),
        columns_retyped: retyped.collect(),
        columns_added: only(new, old),
        columns_removed: only(old, new),
        columns,
        ..TableDiff::default()
    })
}

/// Reads both tables to their ends; what is not settled at once is in the partitions.
fn read_both(
    old: &mut Reader,
    new: &mut Reader,
    found: &mut TableDiff,
    options: &TableOptions,
    progress: &mut impl FnMut(u64),
) -> Result<Partitions, TableError> {
    let key_cells = if found.key.is_empty() { found.columns.len() } else { found.key.len() };
    let mut partitions = Partitions::new(options);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    loop {
        let (has_before, has_after) = (old.read(&mut before)?, new.read(&mut after)?);
        found.rows_before += u64::from(has_before);
        found.rows_after += u64::from(has_after);
        let numbers = (found.rows_before, found.rows_after);
        let (old_key, new_key) = (row::key(&before, key_cells), row::key(&after, key_cells));
        match (has_before, has_after) {
            (false, false) => return Ok(partitions),
            (true, true) if old_key == new_key && found.key.is_empty() => found.unchanged += 1,
            (true, true) if before == after => partitions.add(new_key, &Entry::same(numbers))?,
            (true, true) if old_key == new_key => {
                partitions.add(old_key, &Entry::row(Side::Before, numbers.0, &before))?;
                partitions.add(new_key, &Entry::row(Side::After, numbers.1, &after))?;
            }
            _ => {
                if has_before {
                    partitions.add(old_key, &Entry::row(Side::Before, numbers.0, &before))?;
                }
                if has_after {
                    partitions.add(new_key, &Entry::row(Side::After, numbers.1, &after))?;
                }
            }
        }
        progress(u64::from(has_before) + u64::from(has_after));
    }
}
