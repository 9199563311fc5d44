//! What changed between two files: tensor by tensor, or row by row.
//!
//! Sources are read, never written; nothing here knows where they come from. Memory is bounded whatever their size:
//! tensors are compared in pieces, rows go through temporary files once there are many.

mod checkpoint;
mod element;
mod groups;
mod table;
mod tensor;

pub use checkpoint::{Checkpoints, Named, Retyped, TensorChange, diff_checkpoints};
pub use groups::{Group, groups};
pub use table::{
    ChangedCell, ChangedRow, ColumnChanges, DuplicateKey, Row, Side, TableDiff, TableError, TableOptions, TypeChange,
    diff_tables,
};
pub use tensor::{Difference, differ};
