//! Rows that no event makes, as they are written.

pub mod edge;
pub mod file;
pub mod grant;
pub mod place;
pub mod rank;
pub mod search;
