//! Trees of any size: cut into nodes by their paths, so that equal parts of two trees are equal nodes.
//!
//! A leaf ends behind a path whose hash says so (about every thousandth), an inner node lists nodes and ends in the same
//! way. Where a tree is cut depends on its entries alone, never on how it came to be: a changed file gives one other leaf
//! and its way up, and everything else is compared by digest. Each node is content of its own; the tree's name is that of
//! the topmost. A tree of a few hundred entries is a single leaf.

use serde::{Deserialize, Serialize};
use stemma_core::{Digest, name::TreePath};

use super::{
    entry::{OrderCheck, TreeEntry},
    inner::{Child, VERSION_INNER, encode_child},
    leaf::{VERSION_LEAF, encode_entry},
    node::encode_node,
};
use crate::error::{Result, StoreError};

/// Where nodes end.
struct Cut {
    /// No node but the last is shorter, so that no choice of names can make a tree high.
    count_min: u64,
    /// One path in so many ends a node.
    one_in: u64,
    count_max: u64,
    bytes_max: usize,
}

const LEAF: Cut = Cut { count_min: 256, one_in: 1024, count_max: 4096, bytes_max: 512 << 10 };
const INNER: Cut = Cut { count_min: 32, one_in: 128, count_max: 512, bytes_max: 512 << 10 };

impl Cut {
    fn of(level: usize) -> Self {
        if level == 0 { LEAF } else { INNER }
    }

    fn ends_behind(&self, last: &str, level: usize, count: u64, bytes: usize) -> bool {
        let is_full = count >= self.count_max || bytes >= self.bytes_max;
        let hash = xxhash_rust::xxh3::xxh3_64_with_seed(last.as_bytes(), level as u64);
        is_full || (count >= self.count_min && hash.is_multiple_of(self.one_in))
    }
}

/// A whole tree in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeSummary {
    pub digest: Digest,
    pub entries: u64,
    /// Sum of the sizes of all files.
    pub size: u64,
}

/// Where the nodes of a tree go.
pub trait TreeNodes {
    /// Takes a node and returns its name.
    fn put_node(&mut self, bytes: &[u8]) -> std::result::Result<Digest, StoreError>;
}

/// For who only wants to know a tree's name.
#[derive(Debug, Clone, Copy, Default)]
pub struct HashOnly;

impl TreeNodes for HashOnly {
    fn put_node(&mut self, bytes: &[u8]) -> Result<Digest> {
        Ok(Digest::of(bytes))
    }
}

/// Makes a tree from entries that come in order; holds one node a level, whatever the size of the tree.
#[derive(Debug, Default)]
pub struct TreeBuilder {
    order: OrderCheck,
    /// From the leaves up.
    levels: Vec<Level>,
}

/// The node of a level that is not full yet.
#[derive(Debug, Default)]
struct Level {
    body: Vec<u8>,
    count: u64,
    /// Empty as long as nothing was counted.
    last: String,
    entries: u64,
    size: u64,
    /// The last node of this level that was finished.
    finished: Option<Child>,
}

impl TreeBuilder {
    /// Adds the next entry by the bytes of the paths; refuses what could not be written out safely.
    pub fn push(
        &mut self,
        nodes: &mut dyn TreeNodes,
        path: &TreePath,
        entry: &TreeEntry,
    ) -> std::result::Result<(), StoreError> {
        self.order.check(path, entry).map_err(|reason| StoreError::refused(path.as_str(), reason))?;
        let leaf = self.level(0);
        encode_entry(path, entry, &mut leaf.body);
        leaf.count_in(path, 1, entry.size());
        self.cut(nodes, 0)
    }

    /// Ends the tree.
    pub fn finish(mut self, nodes: &mut dyn TreeNodes) -> std::result::Result<TreeSummary, StoreError> {
        self.level(0);
        let mut level = 0;
        // flushing may add a level
        while level + 1 < self.levels.len() {
            if self.levels[level].count > 0 {
                self.flush(nodes, level)?;
            }
            level += 1;
        }
        let top = &mut self.levels[level];
        let root = match (level, top.count) {
            // the level has one node only because the one below it has
            (1.., 1) => self.levels[level - 1].finished.take().expect("it was counted when it was finished"),
            _ => top.end(nodes, level)?,
        };
        Ok(TreeSummary { digest: root.digest, entries: root.entries, size: root.size })
    }

    fn level(&mut self, level: usize) -> &mut Level {
        if self.levels.len() == level {
            self.levels.push(Level::default());
        }
        &mut self.levels[level]
    }

    fn cut(&mut self, nodes: &mut dyn TreeNodes, level: usize) -> Result<()> {
        let Level { last, count, body, .. } = &self.levels[level];
        if !last.is_empty() && Cut::of(level).ends_behind(last, level, *count, body.len()) {
            self.flush(nodes, level)
        } else {
            Ok(())
        }
    }

    fn flush(&mut self, nodes: &mut dyn TreeNodes, level: usize) -> Result<()> {
        let child = self.levels[level].end(nodes, level)?;
        self.levels[level].finished = Some(child.clone());
        let above = self.level(level + 1);
        encode_child(&child, &mut above.body);
        above.count_in(&child.last, child.entries, child.size);
        self.cut(nodes, level + 1)
    }
}

impl Level {
    fn count_in(&mut self, last: &TreePath, entries: u64, size: u64) {
        self.count += 1;
        self.last.clear();
        self.last.push_str(last.as_str());
        self.entries += entries;
        self.size = self.size.saturating_add(size);
    }

    /// Ends the node; only a tree without entries has a node without a last path.
    fn end(&mut self, nodes: &mut dyn TreeNodes, level: usize) -> Result<Child> {
        let version = if level == 0 { VERSION_LEAF } else { VERSION_INNER };
        let Self { body, count, last, entries, size, .. } = std::mem::take(self);
        let digest = nodes.put_node(&encode_node(version, level as u8, count, &body))?;
        let last = if last.is_empty() { "-" } else { &last };
        let last = TreePath::new(last).expect("only paths were counted");
        Ok(Child { last, digest, entries, size })
    }
}
