//! What differs between two contents: tensors, rows of a table, lines of text, or just bytes.

mod contents;
mod files;
mod side;
pub mod trees;

pub use self::{
    contents::{Contents, Options, farthest, retyped},
    files::{Diff, FileDiff, FileState, diff_any},
    side::{ContentAt, Side},
};
