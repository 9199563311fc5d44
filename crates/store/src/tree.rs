//! Directories as values: paths and what is at each, in one canonical form.
//!
//! Canonical bytes (numbers little-endian): magic (8 bytes), version (u16), reserved (6), number of entries (u64), then
//! the entries sorted by the bytes of their paths: kind (u8: 1 file, 2 executable file, 3 symbolic link, 4 empty
//! directory), length of the path (u16), path; for files digest (32) and size (u64), for links length (u16) and target.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use serde::{Deserialize, Serialize};
use stemma_core::{Digest, name::TreePath};

use crate::{
    error::{Result, StoreError},
    record::{le_u16, le_u64},
};

/// Longest canonical form.
pub(crate) const TREE_BYTES_MAX: u64 = 256 << 20;

const MAGIC: [u8; 8] = *b"\x9dSTMTRE\n";
const VERSION: u16 = 1;
const HEAD_LEN: usize = 24;
const PATH_LEN_MAX: usize = 4096;
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

/// A directory: files, links and empty directories by path. Directories with something in them are implied.
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
    /// The canonical bytes, whose BLAKE3 names the tree; refuses a tree that could not be written out safely.
    pub fn encode(&self) -> Result<Vec<u8>> {
        self.check()?;
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 6]);
        bytes.extend_from_slice(&(self.entries.len() as u64).to_le_bytes());
        for (path, entry) in &self.entries {
            encode_entry(path, entry, &mut bytes);
        }
        if bytes.len() as u64 > TREE_BYTES_MAX {
            let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
            return Err(StoreError::TooLarge { digest, size, limit: TREE_BYTES_MAX });
        }
        Ok(bytes)
    }

    /// The name of the tree.
    pub fn digest(&self) -> Result<Digest> {
        Ok(Digest::of(&self.encode()?))
    }

    /// Sum of the sizes of all files.
    pub fn size(&self) -> u64 {
        self.entries
            .values()
            .map(|entry| match entry {
                TreeEntry::File { size, .. } => *size,
                TreeEntry::Symlink { .. } | TreeEntry::EmptyDirectory => 0,
            })
            .fold(0, u64::saturating_add)
    }

    /// Refuses what could lead outside of the folder that a tree is written to, or into a repository's own files.
    pub fn check(&self) -> Result<()> {
        let paths: HashSet<&str> = self.entries.keys().map(TreePath::as_str).collect();
        for (path, entry) in &self.entries {
            check_entry(&paths, path, entry).map_err(|reason| StoreError::refused(path.as_str(), reason))?;
        }
        Ok(())
    }

    pub(crate) fn decode(bytes: &[u8]) -> std::result::Result<Self, TreeFault> {
        let damaged = |what: &str| TreeFault::Damaged(what.to_owned());
        let mut input = Input(bytes);
        let head = input.take(HEAD_LEN).filter(|head| head[..8] == MAGIC);
        let head = head.ok_or_else(|| damaged("it is not a tree"))?;
        match le_u16(&head[8..10]) {
            VERSION => {}
            version => return Err(TreeFault::Version(version)),
        }
        let count = le_u64(&head[16..24]);
        let mut tree = Self::default();
        for _ in 0..count {
            let (path, entry) = decode_entry(&mut input).ok_or_else(|| damaged("one of its entries is malformed"))?;
            if tree.entries.last_key_value().is_some_and(|(last, _)| *last >= path) {
                return Err(damaged("its entries are out of order"));
            }
            tree.entries.insert(path, entry);
        }
        if !input.0.is_empty() {
            return Err(damaged("it has bytes behind its last entry"));
        }
        tree.check().map_err(|error| TreeFault::Damaged(error.to_string()))?;
        Ok(tree)
    }
}

fn check_entry(paths: &HashSet<&str>, path: &TreePath, entry: &TreeEntry) -> std::result::Result<(), String> {
    let text = path.as_str();
    if text.len() > PATH_LEN_MAX {
        return Err(format!("its path is longer than {PATH_LEN_MAX} bytes"));
    }
    if path.components().count() > DEPTH_MAX {
        return Err(format!("it lies more than {DEPTH_MAX} directories deep"));
    }
    if let Some(reserved) = path.components().find(|component| is_reserved(component)) {
        return Err(format!("`{reserved}` is a tool's own folder"));
    }
    // every directory above is implied, so it must not be an entry itself
    for (slash, _) in text.match_indices('/') {
        let above = &text[..slash];
        if paths.contains(above) {
            return Err(format!("`{above}` is not a directory with something in it"));
        }
    }
    match entry {
        TreeEntry::Symlink { target } => check_target(path, target),
        TreeEntry::File { .. } | TreeEntry::EmptyDirectory => Ok(()),
    }
}

/// Folders that hold a tool's own state, in any spelling that some file system takes for the same.
pub(crate) fn is_reserved(component: &str) -> bool {
    let plain = component.trim_end_matches([' ', '.']);
    plain.eq_ignore_ascii_case(".git") || plain.eq_ignore_ascii_case(".stemma")
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
            name if is_reserved(name) => {
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

fn encode_entry(path: &TreePath, entry: &TreeEntry, bytes: &mut Vec<u8>) {
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

fn encode_text(text: &str, bytes: &mut Vec<u8>) {
    let len = u16::try_from(text.len()).expect("check() bounds paths and targets");
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn text(&mut self) -> Option<&'a str> {
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
