//! Reading what was put: chunks by what they depend on, blobs by their recipes; no byte is handed out unchecked.

mod check;
mod chunk;
mod fault;
mod reader;
mod recipe;

pub(crate) use check::{check_record, read_back};
pub(crate) use chunk::{READ_DEPTH_MAX, decode_chunk, decode_with_base, read_base, read_chunk, too_deep};
pub(crate) use fault::recipe_fault;
pub use reader::BlobReader;
pub(crate) use recipe::{read_page, read_recipe};
