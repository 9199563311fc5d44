//! Leaves: the nodes that hold entries.
//!
//! A leaf is canonical bytes, version 1 (numbers little-endian): magic (8 bytes), version (u16), reserved (6), number of
//! entries (u64), then the entries sorted by the bytes of their paths: kind (u8: 1 file, 2 executable file, 3 symbolic
//! link, 4 empty directory), length of the path (u16), path; for files digest (32) and size (u64), for links length (u16)
//! and target.

use stemma_core::{Digest, name::TreePath};

use super::{
    entry::TreeEntry,
    node::{ByteCursor, HEAD_LEN, TreeFault, encode_text},
};
use crate::little_endian::le_u64;

/// Longest leaf that is read; trees of early versions are one leaf, whatever their size.
pub(crate) const LEAF_BYTES_MAX: u64 = 256 << 20;
pub(super) const VERSION_LEAF: u16 = 1;

/// The entries of a leaf, read one by one.
#[derive(Debug)]
pub(crate) struct Leaf {
    bytes: Vec<u8>,
    at: usize,
    left: u64,
}

impl Leaf {
    /// `bytes` begin with the head of a leaf.
    pub fn new(bytes: Vec<u8>, count: u64) -> Self {
        Self { bytes, at: HEAD_LEN, left: count }
    }

    pub fn next(&mut self) -> std::result::Result<Option<(TreePath, TreeEntry)>, TreeFault> {
        let damaged = |what: &str| TreeFault::Damaged(what.to_owned());
        let rest = &self.bytes[self.at..];
        if self.left == 0 {
            return if rest.is_empty() { Ok(None) } else { Err(damaged("it has bytes behind its last entry")) };
        }
        let mut input = ByteCursor(rest);
        let entry = decode_entry(&mut input).ok_or_else(|| damaged("one of its entries is malformed"))?;
        self.at = self.bytes.len() - input.0.len();
        self.left -= 1;
        Ok(Some(entry))
    }
}

const KIND_FILE: u8 = 1;
const KIND_EXECUTABLE: u8 = 2;
const KIND_SYMLINK: u8 = 3;
const KIND_EMPTY_DIRECTORY: u8 = 4;

pub(crate) fn encode_entry(path: &TreePath, entry: &TreeEntry, bytes: &mut Vec<u8>) {
    bytes.push(match entry {
        TreeEntry::File { executable: false, .. } => KIND_FILE,
        TreeEntry::File { executable: true, .. } => KIND_EXECUTABLE,
        TreeEntry::Symlink { .. } => KIND_SYMLINK,
        TreeEntry::EmptyDirectory => KIND_EMPTY_DIRECTORY,
    });
    encode_text(path.as_str(), bytes);
    match entry {
        TreeEntry::File { digest, size, .. } => {
            bytes.extend_from_slice(digest.as_bytes());
            bytes.extend_from_slice(&size.to_le_bytes());
        }
        TreeEntry::Symlink { target } => encode_text(target, bytes),
        TreeEntry::EmptyDirectory => {}
    }
}

fn decode_entry(input: &mut ByteCursor<'_>) -> Option<(TreePath, TreeEntry)> {
    let kind = input.take(1)?[0];
    let path = TreePath::new(input.text()?).ok()?;
    let entry = match kind {
        KIND_FILE | KIND_EXECUTABLE => TreeEntry::File {
            digest: Digest::from_slice(input.take(32)?)?,
            size: le_u64(input.take(8)?),
            executable: kind == KIND_EXECUTABLE,
        },
        KIND_SYMLINK => TreeEntry::Symlink { target: input.text()?.to_owned() },
        KIND_EMPTY_DIRECTORY => TreeEntry::EmptyDirectory,
        _ => return None,
    };
    Some((path, entry))
}
