//! Rows of JSON: one value after the other, a list of them, or one object that holds the columns.

mod shape;
mod values;

use std::{collections::HashMap, sync::Arc};

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde_json::Value;

use self::values::Values;
use crate::{
    bounds::{BATCH_LEN, batch_rows},
    error::TableError,
    expand::Expanded,
};

/// Most columns, as each row may bring new ones.
const COLUMNS_MAX: usize = 10_000;
/// Whole numbers up to here are exact as floats.
const EXACT_MAX: u64 = 1 << 53;

/// Rows with equal columns; one that a row lacks is null there.
pub(crate) struct Json {
    rows: Rows,
    positions: HashMap<String, usize>,
    pub schema: SchemaRef,
}

enum Rows {
    Stream(Values),
    Held(std::vec::IntoIter<Value>),
}

impl Rows {
    fn open(file: &Expanded) -> Result<Self, TableError> {
        let mut values = Values::open(file)?;
        let (first, second) = (values.next()?, values.next()?);
        match (first.map(shape::rows_of), second) {
            (Some(Ok(rows)), None) => Ok(Self::Held(rows.into_iter())),
            _ => Ok(Self::Stream(Values::open(file)?)),
        }
    }

    fn next(&mut self) -> Result<Option<Value>, TableError> {
        match self {
            Self::Stream(values) => values.next(),
            Self::Held(rows) => Ok(rows.next()),
        }
    }
}

impl Json {
    /// Reads the file once to know the columns and what they hold.
    pub fn open(file: &Expanded) -> Result<Self, TableError> {
        let mut rows = Rows::open(file)?;
        let mut positions = HashMap::new();
        let mut columns: Vec<(String, Seen)> = Vec::new();
        while let Some(row) = rows.next()? {
            for (name, value) in cells(row) {
                let at = *positions.entry(name).or_insert_with_key(|name| {
                    columns.push((name.clone(), Seen::default()));
                    columns.len() - 1
                });
                if columns.len() > COLUMNS_MAX {
                    return Err(TableError::Malformed(format!("its rows have more than {COLUMNS_MAX} names together")));
                }
                columns[at].1.add(&value);
            }
        }
        let fields = columns.iter().map(|(name, seen)| Field::new(name, seen.datatype(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { rows: Rows::open(file)?, positions, schema })
    }

    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, TableError> {
        let mut columns: Vec<Vec<Value>> = self.schema.fields().iter().map(|_| Vec::new()).collect();
        let (mut count, mut len) = (0, 0);
        let most = batch_rows(columns.len());
        while count < most && len < BATCH_LEN {
            let Some(row) = self.rows.next()? else { break };
            count += 1;
            for (name, value) in cells(row) {
                len += name.len() + value.as_str().map_or(16, str::len);
                if let Some(column) = self.positions.get(&name).map(|at| &mut columns[*at]) {
                    column.resize(count, Value::Null);
                    column[count - 1] = value;
                }
            }
        }
        if count == 0 || columns.is_empty() {
            return Ok(None);
        }
        let arrays = columns.into_iter().zip(self.schema.fields()).map(|(mut column, field)| {
            column.resize(count, Value::Null);
            array(&column, field.data_type())
        });
        Ok(Some(RecordBatch::try_new(self.schema.clone(), arrays.collect())?))
    }
}

/// A list's cells are called by their places.
fn cells(row: Value) -> Vec<(String, Value)> {
    match row {
        Value::Object(cells) => cells.into_iter().collect(),
        Value::Array(cells) => cells.into_iter().enumerate().map(|(at, cell)| (at.to_string(), cell)).collect(),
        other => vec![("0".to_owned(), other)],
    }
}

/// What the cells of a column are.
#[derive(Default)]
struct Seen {
    has_bool: bool,
    has_whole: bool,
    has_negative: bool,
    /// More than signed numbers hold.
    has_huge: bool,
    /// More than floats hold exactly.
    has_inexact: bool,
    has_float: bool,
    has_other: bool,
}

impl Seen {
    fn add(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::Bool(_) => self.has_bool = true,
            Value::Number(number) if number.is_f64() => self.has_float = true,
            Value::Number(number) => {
                self.has_whole = true;
                self.has_negative |= number.as_u64().is_none();
                self.has_huge |= number.as_i64().is_none();
                let size = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64());
                self.has_inexact |= size.is_none_or(|size| size > EXACT_MAX);
            }
            _ => self.has_other = true,
        }
    }

    /// A column of different things is one of texts.
    fn datatype(&self) -> DataType {
        match (self.has_bool, self.has_whole, self.has_float, self.has_other) {
            (true, false, false, false) => DataType::Boolean,
            (false, true, false, false) if !self.has_huge => DataType::Int64,
            (false, true, false, false) if !self.has_negative => DataType::UInt64,
            (false, _, true, false) if !self.has_inexact => DataType::Float64,
            _ => DataType::Utf8,
        }
    }
}

fn array(column: &[Value], datatype: &DataType) -> ArrayRef {
    match datatype {
        DataType::Boolean => Arc::new(column.iter().map(Value::as_bool).collect::<BooleanArray>()),
        DataType::Int64 => Arc::new(column.iter().map(Value::as_i64).collect::<Int64Array>()),
        DataType::UInt64 => Arc::new(column.iter().map(Value::as_u64).collect::<UInt64Array>()),
        DataType::Float64 => Arc::new(column.iter().map(Value::as_f64).collect::<Float64Array>()),
        _ => Arc::new(column.iter().map(text).collect::<StringArray>()),
    }
}

/// Lists and objects stay JSON.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
