//! Tensors, the lingua franca of models, protocols and tables, and the one way in which values from outside become
//! elements of them.
//!
//! Whatever door a value comes in by, JSON, a cell of a table, a recorded prediction, it is a [`Given`] first; what an
//! element takes is decided there alone, so that what can be evaluated can be asked, and the reverse. Knows no runtime
//! and does no I/O. The rules are told to people in `docs/values.md`.

mod feed;
mod given;
pub mod logged;
mod mix;
mod row;
mod tensor;
mod unit;

pub use feed::{Columns, Feed, Gathered, feeds};
pub use given::{FromGiven, Given, Misfit, Unfit, collect};
pub use row::{RowError, is_wide, listed, of_cells, of_json_rows, of_rows, values_of_json};
pub use tensor::{ELEMENT_BYTES, Element, TENSOR_ELEMENTS_MAX, Tensor, TensorData, TensorError, element_count, extent};
pub use unit::unit;
