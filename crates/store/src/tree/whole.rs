//! A tree in memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stemma_core::{Digest, name::TreePath};

use super::{
    builder::{HashOnly, TreeBuilder, TreeNodes},
    entry::TreeEntry,
};
use crate::error::Result;

/// A directory in memory: files, links and empty directories by path. Directories with something in them are implied.
///
/// For folders of any size there are [`TreeBuilder`] and [`crate::Store::tree_entries`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    pub entries: BTreeMap<TreePath, TreeEntry>,
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
