//! What may be at the paths of a tree.

use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest,
    name::{TreePath, tool_of_component},
};

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
