//! Tracked folders: what is in one now, without reading what did not change, and how it differs from a tree.
//!
//! `.stemma/folders/<hex>` remembers a folder (version 1; numbers little-endian): magic (8 bytes), version (u16), then
//! an entry for each path in order: kind (u8: 1 file, 2 executable file, 3 link, 4 empty directory), bytes that its path
//! has in common with the one before (u16), length of the rest (u16), the rest; for files whether the stamp can be
//! trusted (u8), digest (32), device, inode, size, mtime and ctime (8 each), for links length (u16) and target. A zero
//! byte and the BLAKE3 of all this end it. It is only a cache: what can't be read of it counts as not known.

mod bring;
mod keep;
mod listing;
mod present;

pub(crate) use self::{
    bring::bring,
    present::{Present, look, put},
};
pub use self::{
    keep::keep_folder,
    present::{Inside, InsideChange, InsideState},
};
