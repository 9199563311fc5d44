//! Two tables, row by row: matched by key columns, or counted as a multiset of rows.
//!
//! Both are read once, side by side. A row that stands at the same place with the same key is settled there; all others
//! go into partitions by the hash of their key ([`partitions`]), so that memory is bounded however long the tables are.

mod changes;
mod error;
mod partitions;
mod read;
mod row;
mod settle;
mod side;

use std::path::PathBuf;

use stemma_table::Source;

pub use self::{
    changes::{ChangedCell, ChangedRow, ColumnChanges, DuplicateKey, Row, TableDiff, TypeChange},
    error::TableError,
    side::Side,
};
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
    let mut partitions = Partitions::new(&options.folder, options.held_max);
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
