//! Rows that no event makes, by noun: runs with their files and edges, packages, rights to content, feedback. They are only
//! ever added, do not pass through the tree one by one, and are sealed into it in batches.

mod edge;
mod feedback;
mod file;
mod grant;
mod package;
mod run;
pub mod seal;

pub use self::{edge::Side, file::RunFile};
pub use crate::row::file::Access;
