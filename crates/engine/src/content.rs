//! Content of projects: sent, kept, found damaged, given up and collected.

mod bundle;
pub(crate) mod collect;
mod folder;
mod keep;
pub(crate) mod purge;
mod transfer;
mod verify;

pub use self::folder::NODE_BYTES_MAX;
