//! What is found: the columns, how many rows of each kind there are, and the first few of them.

use serde::Serialize;

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
