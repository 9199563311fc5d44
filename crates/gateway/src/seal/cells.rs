//! The cells of one row, by the names of their columns.

use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, RecordBatch, StructArray,
    cast::AsArray as _,
    types::{Float64Type, TimestampMicrosecondType, UInt8Type, UInt32Type, UInt64Type},
};
use parquet::errors::ParquetError;
use serde::{Serialize, de::DeserializeOwned};
use stemma_core::Timestamp;

/// Something with named columns.
pub trait Columnar {
    fn column(&self, name: &str) -> Option<&ArrayRef>;
}

impl Columnar for RecordBatch {
    fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.column_by_name(name)
    }
}

impl Columnar for StructArray {
    fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.column_by_name(name)
    }
}

/// One row. Every question is answered with `None` if the column is missing or holds something else.
pub struct Cells<'a, C> {
    pub of: &'a C,
    pub at: usize,
}

impl<'a, C: Columnar> Cells<'a, C> {
    pub fn has(&self, name: &str) -> bool {
        self.of.column(name).is_some()
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.maybe(name)?
    }

    /// The outer `None` is a missing column, the inner one an empty cell.
    #[expect(clippy::option_option, reason = "missing column and empty cell differ")]
    pub fn maybe(&self, name: &str) -> Option<Option<&'a str>> {
        let column = self.of.column(name)?.as_string_opt::<i32>()?;
        Some(column.is_valid(self.at).then(|| column.value(self.at)))
    }

    #[expect(clippy::option_option, reason = "missing column and empty cell differ")]
    pub fn maybe_owned(&self, name: &str) -> Option<Option<String>> {
        Some(self.maybe(name)?.map(str::to_owned))
    }

    /// A text that is read as something, if there is one; `None` also if it can't be read.
    #[expect(clippy::option_option, reason = "missing column and empty cell differ")]
    pub fn maybe_read<T>(&self, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
        match self.maybe(name)? {
            None => Some(None),
            Some(text) => read(text).map(Some),
        }
    }

    #[expect(clippy::option_option, reason = "missing column and empty cell differ")]
    pub fn maybe_number<T: ArrowPrimitiveType>(&self, name: &str) -> Option<Option<T::Native>> {
        let column = self.of.column(name)?.as_primitive_opt::<T>()?;
        Some(column.is_valid(self.at).then(|| column.value(self.at)))
    }

    pub fn number(&self, name: &str) -> Option<u32> {
        self.maybe_number::<UInt32Type>(name)?
    }

    pub fn long(&self, name: &str) -> Option<u64> {
        self.maybe_number::<UInt64Type>(name)?
    }

    #[expect(clippy::option_option, reason = "missing column and empty cell differ")]
    pub fn maybe_long(&self, name: &str) -> Option<Option<u64>> {
        self.maybe_number::<UInt64Type>(name)
    }

    #[expect(clippy::option_option, reason = "missing column and empty cell differ")]
    pub fn maybe_byte(&self, name: &str) -> Option<Option<u8>> {
        self.maybe_number::<UInt8Type>(name)
    }

    #[expect(clippy::option_option, reason = "missing column and empty cell differ")]
    pub fn maybe_fraction(&self, name: &str) -> Option<Option<f64>> {
        self.maybe_number::<Float64Type>(name)
    }

    pub fn time(&self, name: &str) -> Option<Timestamp> {
        self.maybe_number::<TimestampMicrosecondType>(name)?.map(Timestamp)
    }

    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.text(name)?).ok()
    }
}

/// What a cell of JSON holds.
pub fn json<T: Serialize>(value: &T) -> Result<String, ParquetError> {
    serde_json::to_string(value).map_err(|error| ParquetError::External(Box::new(error)))
}
