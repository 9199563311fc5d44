//! Why a file gives no rows.

use std::{
    any::Any,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
};

#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file is something else, as in `it is a Python pickle`.
    #[error("it is {0}")]
    Other(&'static str),
    /// As its format it makes no sense, or it is more than is read.
    #[error("{0}")]
    Malformed(String),
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl TableError {
    pub(crate) fn malformed(what: impl fmt::Display) -> Self {
        Self::Malformed(what.to_string())
    }
}

impl From<csv::Error> for TableError {
    fn from(error: csv::Error) -> Self {
        Self::malformed(error)
    }
}

impl From<::parquet::errors::ParquetError> for TableError {
    fn from(error: ::parquet::errors::ParquetError) -> Self {
        Self::malformed(error)
    }
}

impl From<arrow_schema::ArrowError> for TableError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::malformed(error)
    }
}

/// Calls other people's decoder. What it panics over is a file that can't be read, not an end of the process.
pub(crate) fn guarded<T>(decode: impl FnOnce() -> Result<T, TableError>) -> Result<T, TableError> {
    // what was half done is dropped with the reader: a table is not read on after an error
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        Err(TableError::Malformed(format!("its bytes make no sense: {}", said(panic.as_ref()))))
    })
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("the decoder gave up")
}
