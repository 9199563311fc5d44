//! Directories as values: paths and what is at each, in one canonical form.
//!
//! A tree is one node, or nodes of nodes (see [`crate::tree`] for how they are cut). A leaf is canonical bytes,
//! version 1 (numbers little-endian): magic (8 bytes), version (u16), reserved (6), number of entries (u64), then
//! the entries sorted by the bytes of their paths: kind (u8: 1 file, 2 executable file, 3 symbolic link, 4 empty
//! directory), length of the path (u16), path; for files digest (32) and size (u64), for links length (u16) and target.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest,
    name::{TreePath, tool_of_component},
};

use crate::{
    error::{Result, StoreError},
    pack::{le_u16, le_u64},
    tree::{HashOnly, TreeBuilder, TreeNodes},
};

/// Longest leaf that is read; trees of early versions are one leaf, whatever their size.
pub(crate) const LEAF_BYTES_MAX: u64 = 256 << 20;
/// Most entries of a tree that is held in memory as a whole.
pub(crate) const ENTRIES_IN_MEMORY_MAX: u64 = 1_000_000;

pub(crate) const MAGIC: [u8; 8] = *b"\x9dSTMTRE\n";
pub(crate) const VERSION_LEAF: u16 = 1;
pub(crate) const HEAD_LEN: usize = 24;
pub(crate) const PATH_LEN_MAX: usize = 4096;
pub(crate) const DEPTH_MAX: usize = 128;

/// What is at a path of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TreeEntry {
    File {
        digest: Digest,
        size: u64,
        executable: bool,
    },
    /// A link to a place inside the same tree.
    Symlink {
        target: String,
    },
    EmptyDirectory,
}

impl TreeEntry {
    /// Bytes of the file, if it is one.
    pub fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } => *size,
            Self::Symlink { .. } | Self::EmptyDirectory => 0,
        }
    }

    /// The content of the file, if it is one.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::File { digest, .. } => Some(*digest),
            Self::Symlink { .. } | Self::EmptyDirectory => None,
        }
    }
}

/// A directory in memory: files, links and empty directories by path. Directories with something in them are implied.
///
/// For folders of any size there are [`TreeBuilder`] and [`crate::Store::tree_entries`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    pub entries: BTreeMap<TreePath, TreeEntry>,
}

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

impl Tree {
    /// The name of the tree; refuses a tree that could not be written out safely.
    pub fn digest(&self) -> Result<Digest> {
        self.put_nodes(&mut HashOnly)
    }

    pub(crate) fn put_nodes(&self, nodes: &mut dyn TreeNodes) -> Result<Digest> {
        let mut builder = TreeBuilder::default();
        for (path, entry) in &self.entries {
            builder.push(nodes, path, entry)?;
        }
        Ok(builder.finish(nodes)?.digest)
    }

    /// Sum of the sizes of all files.
    pub fn size(&self) -> u64 {
        self.entries.values().map(TreeEntry::size).fold(0, u64::saturating_add)
    }
}

/// Checks entries one after the other, in order: that the order is right, that no path leads through another entry, and
/// that nothing could lead out of the folder that they are written to, or into a tool's own files.
#[derive(Debug, Default)]
pub(crate) struct OrderCheck {
    last: String,
    /// Lengths of the beginnings of the last path that are entries themselves: every entry that can be above what follows.
    beginnings: Vec<usize>,
}

impl OrderCheck {
    pub fn check(&mut self, path: &TreePath, entry: &TreeEntry) -> std::result::Result<(), String> {
        check_entry(path, entry)?;
        let text = path.as_str();
        // no path is empty
        if !self.last.is_empty() {
            let last = &self.last;
            if last.as_str() >= text {
                return Err(format!("`{path}` does not stand behind `{last}`"));
            }
            let common = last.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
            while self.beginnings.last().is_some_and(|len| *len > common) {
                self.beginnings.pop();
            }
            // every directory above is implied, so it must not be an entry itself
            if let Some(len) = self.beginnings.iter().find(|len| text.as_bytes().get(**len) == Some(&b'/')) {
                return Err(format!("`{}` is not a directory with something in it", &text[..*len]));
            }
        }
        self.beginnings.push(text.len());
        self.last.clear();
        self.last.push_str(text);
        Ok(())
    }
}

fn check_entry(path: &TreePath, entry: &TreeEntry) -> std::result::Result<(), String> {
    let text = path.as_str();
    if text.len() > PATH_LEN_MAX {
        return Err(format!("its path is longer than {PATH_LEN_MAX} bytes"));
    }
    if path.components().count() > DEPTH_MAX {
        return Err(format!("it lies more than {DEPTH_MAX} directories deep"));
    }
    if let Some(reserved) = path.components().find(|component| tool_of_component(component).is_some()) {
        return Err(format!("`{reserved}` is a tool's own folder"));
    }
    match entry {
        TreeEntry::Symlink { target } => check_target(path, target),
        TreeEntry::File { .. } | TreeEntry::EmptyDirectory => Ok(()),
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
        let mut input = Input(rest);
        let entry = decode_entry(&mut input).ok_or_else(|| damaged("one of its entries is malformed"))?;
        self.at = self.bytes.len() - input.0.len();
        self.left -= 1;
        Ok(Some(entry))
    }
}

/// A target may climb only at its beginning, through directories that the tree itself makes, and not above its root.
/// So wherever its names lead, through other such links or not, they stay inside.
pub(crate) fn check_target(path: &TreePath, target: &str) -> std::result::Result<(), String> {
    let outside = || format!("its target `{target}` leads out of the tree");
    if target.is_empty() || target.len() > PATH_LEN_MAX || target.contains(['\0', '\\']) {
        return Err("its target is empty, too long or malformed".to_owned());
    }
    let directories_above = path.components().count() - 1;
    let mut climbed = 0;
    let mut descended = false;
    for component in target.split('/') {
        match component {
            "" if !descended && climbed == 0 => return Err(outside()),
            "" | "." => {}
            ".." if descended => return Err(outside()),
            ".." => climbed += 1,
            name if tool_of_component(name).is_some() => {
                return Err(format!("its target `{target}` is in a tool's own folder"));
            }
            _ => descended = true,
        }
    }
    if climbed > directories_above { Err(outside()) } else { Ok(()) }
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

pub(crate) fn encode_text(text: &str, bytes: &mut Vec<u8>) {
    let len = u16::try_from(text.len()).expect("OrderCheck bounds paths and targets");
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

pub(crate) struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
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

fn decode_entry(input: &mut Input<'_>) -> Option<(TreePath, TreeEntry)> {
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
