//! Datasets and their rows.

mod blame;
pub(crate) mod data_test;
mod dataset;
pub(crate) mod rows;

pub use self::{blame::key_cell, rows::RowSlice};
