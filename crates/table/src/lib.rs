//! Rows of a table, whatever file it lies in: text with any delimiter, Parquet, Arrow, JSON, NumPy; also compressed.
//!
//! Files are untrusted. Rows come in batches, so that memory is bounded by a batch and not by the file; a length that a
//! file claims is checked before anything is allocated for it, and what the readers of other people panic over is an
//! error here. Nothing here knows where the bytes come from, or what a table is for.

mod arrow;
mod bounds;
mod cell;
mod delimited;
mod dialect;
mod error;
mod expand;
mod form;
mod given;
mod json;
mod number;
mod numpy;
mod owned;
mod parquet;
mod rows;
mod source;
mod time;
mod value;

pub use bounds::{BATCH_ROWS, COLUMNS_MAX, Delimiters, ROW_DELIMITERS_MAX, check_columns};
pub use cell::{Cell, is_plain, is_readable, is_single, json};
pub use dialect::Header;
pub use error::TableError;
pub use form::{Compression, Form, Format};
pub use number::Number;
pub use owned::owned;
pub use rows::Rows;
pub use source::{FileSource, Source};
pub use time::Time;
pub use value::{Key, Sameness};
