//! Folders of the file system as trees, both ways; by directory handles only, so that no path is resolved twice.

mod add;
mod walk;
mod write;

pub use add::{FolderEntry, FolderWatch, KnownFile, scan_folder};
pub(crate) use add::{put_folder, put_tree_of_folder};
pub use write::remove_entries;
pub(crate) use write::{Entry, check_folding, require_tree, write_blob, write_entries, write_tree};
