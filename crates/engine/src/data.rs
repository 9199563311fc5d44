//! Datasets and their rows.

mod blame;
mod column;
pub(crate) mod data_test;
mod dataset;
mod mock;
mod profile;
pub(crate) mod rows;

pub use self::{blame::key_cell, rows::RowSlice};
