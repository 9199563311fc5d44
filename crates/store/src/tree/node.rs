//! The head of every node, and what leaves and inner nodes have in common.

use std::path::Path;

use stemma_core::Digest;

use crate::{
    error::StoreError,
    little_endian::{le_u16, le_u64},
};

const MAGIC: [u8; 8] = *b"\x9dSTMTRE\n";
pub(super) const HEAD_LEN: usize = 24;

/// What is wrong with the bytes of a stored tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TreeFault {
    Damaged(String),
    Version(u16),
}

impl TreeFault {
    pub fn into_error(self, digest: Digest, root: &Path) -> StoreError {
        match self {
            Self::Damaged(what) => StoreError::corrupt(digest, what),
            Self::Version(version) => {
                StoreError::UnsupportedVersion { path: root.to_owned(), what: "tree format", version: version.into() }
            }
        }
    }
}

/// The bytes of a node: its head, then what it lists.
pub(crate) fn encode_node(version: u16, level: u8, count: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_LEN + body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&[level, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// What stands at the beginning of a node.
pub(crate) struct NodeHead {
    pub version: u16,
    pub level: u8,
    pub count: u64,
}

impl NodeHead {
    pub fn decode(bytes: &[u8]) -> std::result::Result<Self, TreeFault> {
        let head = bytes.get(..HEAD_LEN).filter(|head| head[..8] == MAGIC);
        let head = head.ok_or_else(|| TreeFault::Damaged("it is not a tree".to_owned()))?;
        Ok(Self { version: le_u16(&head[8..10]), level: head[10], count: le_u64(&head[16..24]) })
    }
}

pub(crate) fn encode_text(text: &str, bytes: &mut Vec<u8>) {
    let len = u16::try_from(text.len()).expect("OrderCheck bounds paths and targets");
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Bytes that are taken from the front.
pub(crate) struct ByteCursor<'a>(pub &'a [u8]);

impl<'a> ByteCursor<'a> {
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn text(&mut self) -> Option<&'a str> {
        let len = le_u16(self.take(2)?);
        std::str::from_utf8(self.take(len.into())?).ok()
    }
}
