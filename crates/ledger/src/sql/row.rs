//! Rows on their way out: every getter names the column that is not what it should be.

use std::{fmt::Display, str::FromStr};

use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _, postgres::PgRow, sqlite::SqliteRow};
use stemma_core::{Digest, Sha256, Timestamp};

use super::{Kind, Value, failed};
use crate::LedgerError;

/// One row, read whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    columns: Vec<(String, Value)>,
}

impl Row {
    pub(super) fn from_sqlite(row: &SqliteRow) -> Result<Self, LedgerError> {
        let mut columns = Vec::with_capacity(row.columns().len());
        for (at, column) in row.columns().iter().enumerate() {
            let raw = row.try_get_raw(at).map_err(failed("read a column"))?;
            let kind = match raw.type_info().name() {
                "INTEGER" => Kind::Int,
                "REAL" => Kind::Real,
                "BLOB" => Kind::Blob,
                _ => Kind::Text,
            };
            let value = if raw.is_null() {
                Ok(Value::Null(kind))
            } else {
                match kind {
                    Kind::Int => row.try_get_unchecked(at).map(Value::Int),
                    Kind::Real => row.try_get_unchecked(at).map(Value::Real),
                    Kind::Blob => row.try_get_unchecked(at).map(Value::Blob),
                    Kind::Text => row.try_get_unchecked(at).map(Value::Text),
                }
            };
            columns.push((column.name().to_owned(), value.map_err(failed("read a column"))?));
        }
        Ok(Self { columns })
    }

    pub(super) fn from_postgres(row: &PgRow) -> Result<Self, LedgerError> {
        let mut columns = Vec::with_capacity(row.columns().len());
        for (at, column) in row.columns().iter().enumerate() {
            let kind = match column.type_info().name() {
                "INT2" | "INT4" | "INT8" => Kind::Int,
                "FLOAT4" | "FLOAT8" => Kind::Real,
                "BYTEA" => Kind::Blob,
                _ => Kind::Text,
            };
            let raw = row.try_get_raw(at).map_err(failed("read a column"))?;
            let value = if raw.is_null() {
                Ok(Value::Null(kind))
            } else {
                match column.type_info().name() {
                    "INT2" => row.try_get::<i16, _>(at).map(|int| Value::Int(int.into())),
                    "INT4" => row.try_get::<i32, _>(at).map(|int| Value::Int(int.into())),
                    "INT8" => row.try_get(at).map(Value::Int),
                    "FLOAT4" => row.try_get::<f32, _>(at).map(|real| Value::Real(real.into())),
                    "FLOAT8" => row.try_get(at).map(Value::Real),
                    "BYTEA" => row.try_get_unchecked(at).map(Value::Blob),
                    _ => row.try_get_unchecked(at).map(Value::Text),
                }
            };
            columns.push((column.name().to_owned(), value.map_err(failed("read a column"))?));
        }
        Ok(Self { columns })
    }

    pub fn columns(&self) -> &[(String, Value)] {
        &self.columns
    }

    fn value(&self, column: &str) -> Result<&Value, LedgerError> {
        let found = self.columns.iter().find(|(name, _)| name == column);
        found
            .map(|(_, value)| value)
            .ok_or_else(|| LedgerError::corrupt("the database", format!("no column `{column}`")))
    }

    pub fn text(&self, column: &str) -> Result<&str, LedgerError> {
        match self.value(column)? {
            Value::Text(text) => Ok(text),
            other => Err(unexpected(column, "a text", other)),
        }
    }

    pub fn opt_text(&self, column: &str) -> Result<Option<&str>, LedgerError> {
        match self.value(column)? {
            Value::Null(_) => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            other => Err(unexpected(column, "a text", other)),
        }
    }

    pub fn int(&self, column: &str) -> Result<i64, LedgerError> {
        match self.value(column)? {
            Value::Int(int) => Ok(*int),
            other => Err(unexpected(column, "a whole number", other)),
        }
    }

    pub fn opt_int(&self, column: &str) -> Result<Option<i64>, LedgerError> {
        match self.value(column)? {
            Value::Null(_) => Ok(None),
            Value::Int(int) => Ok(Some(*int)),
            other => Err(unexpected(column, "a whole number", other)),
        }
    }

    /// A whole number of a narrower type, such as `u32`.
    pub fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, LedgerError> {
        let int = self.int(column)?;
        T::try_from(int).map_err(|_| LedgerError::corrupt(place(column), format!("{int}, out of range")))
    }

    pub fn opt_real(&self, column: &str) -> Result<Option<f64>, LedgerError> {
        match self.value(column)? {
            Value::Null(_) => Ok(None),
            Value::Real(real) => Ok(Some(*real)),
            other => Err(unexpected(column, "a number", other)),
        }
    }

    pub fn bool(&self, column: &str) -> Result<bool, LedgerError> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(LedgerError::corrupt(place(column), format!("{other} instead of 0 or 1"))),
        }
    }

    pub fn blob(&self, column: &str) -> Result<&[u8], LedgerError> {
        match self.value(column)? {
            Value::Blob(blob) => Ok(blob),
            other => Err(unexpected(column, "bytes", other)),
        }
    }

    pub fn opt_blob(&self, column: &str) -> Result<Option<&[u8]>, LedgerError> {
        match self.value(column)? {
            Value::Null(_) => Ok(None),
            Value::Blob(blob) => Ok(Some(blob)),
            other => Err(unexpected(column, "bytes", other)),
        }
    }

    pub fn hash(&self, column: &str) -> Result<[u8; 32], LedgerError> {
        let blob = self.blob(column)?;
        blob.try_into().map_err(|_| LedgerError::corrupt(place(column), format!("{} bytes", blob.len())))
    }

    pub fn digest(&self, column: &str) -> Result<Digest, LedgerError> {
        self.hash(column).map(Digest::from_bytes)
    }

    pub fn opt_sha256(&self, column: &str) -> Result<Option<Sha256>, LedgerError> {
        match self.opt_blob(column)? {
            None => Ok(None),
            Some(_) => self.hash(column).map(Sha256::from_bytes).map(Some),
        }
    }

    pub fn time(&self, column: &str) -> Result<Timestamp, LedgerError> {
        self.int(column).map(Timestamp)
    }

    /// A text in one of our own types: a name, an id, a number.
    pub fn parse<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, LedgerError> {
        parse(column, self.text(column)?)
    }

    pub fn opt_parse<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, LedgerError> {
        self.opt_text(column)?.map(|text| parse(column, text)).transpose()
    }

    /// A text that a `parse` function of ours knows, such as `Stage::parse`.
    pub fn word<T>(&self, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, LedgerError> {
        let text = self.text(column)?;
        parse(text).ok_or_else(|| LedgerError::corrupt(place(column), format!("the unknown word `{text}`")))
    }

    pub fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, LedgerError> {
        serde_json::from_str(self.text(column)?)
            .map_err(|error| LedgerError::corrupt(place(column), format!("JSON with {error}")))
    }
}

fn parse<T: FromStr<Err: Display>>(column: &str, text: &str) -> Result<T, LedgerError> {
    text.parse().map_err(|error: T::Err| LedgerError::corrupt(place(column), error))
}

fn place(column: &str) -> String {
    format!("column `{column}`")
}

fn unexpected(column: &str, wanted: &str, found: &Value) -> LedgerError {
    let found = match found {
        Value::Null(_) => "nothing".to_owned(),
        other => format!("{:?} data", other.kind()).to_lowercase(),
    };
    LedgerError::corrupt(place(column), format!("{found} instead of {wanted}"))
}
