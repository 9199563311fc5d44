//! Inner nodes: those that list others.
//!
//! An inner node is (numbers little-endian): magic (8 bytes), version 2 (u16), level (u8, from 1), reserved (5), number
//! of children (u64), then for each child: length of its last path (u16), that path, its digest (32), and of all that is
//! below it the number of entries (u64) and the sum of the sizes (u64).

use stemma_core::{Digest, name::TreePath};

use super::node::{ByteCursor, HEAD_LEN, NodeHead, TreeFault, encode_text};
use crate::little_endian::le_u64;

pub(super) const VERSION_INNER: u16 = 2;
/// Longest inner node that is read.
pub(super) const INNER_BYTES_MAX: u64 = 8 << 20;
/// Every inner node but the last of its level has many children, so this is more than there can be.
pub(super) const LEVELS_MAX: u8 = 12;

/// A node as the one above it lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Child {
    pub last: TreePath,
    pub digest: Digest,
    pub entries: u64,
    pub size: u64,
}

pub(super) fn encode_child(child: &Child, bytes: &mut Vec<u8>) {
    encode_text(child.last.as_str(), bytes);
    bytes.extend_from_slice(child.digest.as_bytes());
    bytes.extend_from_slice(&child.entries.to_le_bytes());
    bytes.extend_from_slice(&child.size.to_le_bytes());
}

/// Reads an inner node whose head is known.
pub(crate) fn decode_inner(bytes: &[u8], head: &NodeHead) -> std::result::Result<Vec<Child>, TreeFault> {
    let damaged = |what: &str| TreeFault::Damaged(what.to_owned());
    if head.level == 0 || head.level > LEVELS_MAX || head.count == 0 {
        return Err(damaged("its level or its number of children is impossible"));
    }
    let mut input = ByteCursor(&bytes[HEAD_LEN..]);
    let mut children: Vec<Child> = Vec::new();
    for _ in 0..head.count {
        let child = decode_child(&mut input).ok_or_else(|| damaged("one of its children is malformed"))?;
        if children.last().is_some_and(|before| before.last >= child.last) || child.entries == 0 {
            return Err(damaged("its children are out of order or empty"));
        }
        children.push(child);
    }
    if !input.0.is_empty() {
        return Err(damaged("it has bytes behind its last child"));
    }
    Ok(children)
}

fn decode_child(input: &mut ByteCursor<'_>) -> Option<Child> {
    Some(Child {
        last: TreePath::new(input.text()?).ok()?,
        digest: Digest::from_slice(input.take(32)?)?,
        entries: le_u64(input.take(8)?),
        size: le_u64(input.take(8)?),
    })
}
