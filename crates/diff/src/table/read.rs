//! Rows of table files, one after the other, as bytes.

use std::collections::HashSet;

use arrow_array::{Array as _, RecordBatch};
use stemma_table::{Cell, Form, Header, Rows, Source, is_readable};

use super::{error::TableError, row, side::Side};

/// Longest row once it is put into bytes.
const ROW_LEN_MAX: usize = 1 << 30;

pub struct Reader {
    side: Side,
    columns: Vec<Column>,
    rows: Rows,
    batch: Option<RecordBatch>,
    /// The next row of the batch.
    next: usize,
    /// Positions of the columns that are handed out.
    selected: Vec<usize>,
}

struct Column {
    name: String,
    /// Text has no types.
    kind: Option<String>,
}

impl Reader {
    pub fn open(source: &Source, side: Side) -> Result<Self, TableError> {
        let rows = Rows::open(source, Header::First).map_err(|error| malformed(side, &error))?;
        let has_types = !matches!(rows.format.form, Form::Text { .. } | Form::Json);
        let mut columns = Vec::new();
        let mut seen = HashSet::new();
        for field in rows.schema.fields() {
            if !seen.insert(field.name().as_str()) {
                return Err(TableError::ColumnTwice { side, column: field.name().clone() });
            }
            let kind = has_types.then(|| field.data_type().to_string());
            columns.push(Column { name: field.name().clone(), kind });
        }
        Ok(Self { side, columns, rows, batch: None, next: 0, selected: Vec::new() })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    pub fn kind(&self, name: &str) -> Option<&str> {
        self.columns.iter().find(|column| column.name == name)?.kind.as_deref()
    }

    /// From now on rows consist of these columns, in this order.
    pub fn select(&mut self, names: &[String]) -> Result<(), TableError> {
        let position = |name: &String| {
            let columns = || self.names().map(str::to_owned).collect();
            let missing = || TableError::NoColumn { side: self.side, column: name.clone(), columns: columns() };
            self.position(name).ok_or_else(missing)
        };
        self.selected = names.iter().map(position).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Replaces `row` by the next one; `false` after the last, with an empty row.
    pub fn read(&mut self, row: &mut Vec<u8>) -> Result<bool, TableError> {
        row.clear();
        while self.batch.as_ref().is_none_or(|batch| self.next == batch.num_rows()) {
            self.batch = self.rows.next_batch().map_err(|error| malformed(self.side, &error))?;
            self.next = 0;
            if self.batch.is_none() {
                return Ok(false);
            }
        }
        if let Some(batch) = &self.batch {
            self.selected.iter().for_each(|at| push(row, batch, *at, self.next));
        }
        self.next += 1;
        if row.len() > ROW_LEN_MAX {
            return Err(malformed(self.side, &format!("a row of {} bytes", row.len())));
        }
        Ok(true)
    }
}

fn malformed(side: Side, error: &dyn std::fmt::Display) -> TableError {
    TableError::Malformed { side, what: error.to_string() }
}

/// Text as it is, without quotes; numbers so that no two have the same text; what is no cell as JSON.
fn push(row: &mut Vec<u8>, batch: &RecordBatch, column: usize, at: usize) {
    let array = batch.column(column);
    if !is_readable(array.data_type()) && array.is_valid(at) {
        return row::push(row, Some(stemma_table::json(array, at).to_string().as_bytes()));
    }
    match Cell::at(array, at) {
        Cell::Null => row::push(row, None),
        Cell::Bytes(bytes) => row::push(row, Some(bytes)),
        cell => row::push(row, Some(cell.text().as_bytes())),
    }
}
