//! A Merkle tree that grows (RFC 6962 §2.1): hashes of complete subtrees are kept, everything else follows.

use super::merkle::{Hash, empty_root, hash_of_parts, node_hash};

/// The complete subtrees that cover a tree of some size, largest first: all that appending needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// One per set bit of `size`, from the highest.
    peaks: Vec<Hash>,
}

/// A complete subtree that an append finished: `2^level` leaves, the `index`-th of that size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashedSubtree {
    pub level: u32,
    pub index: u64,
    pub hash: Hash,
}

impl Frontier {
    /// Rebuilds a frontier from its peaks, largest first.
    pub fn new(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; returns the subtrees that are complete now, smallest first.
    pub fn append(&mut self, leaf: Hash) -> Vec<HashedSubtree> {
        let mut level = 0;
        let mut index = self.size;
        let mut hash = leaf;
        let mut finished = vec![HashedSubtree { level, index, hash }];
        while index & 1 == 1 {
            let left = self.peaks.pop().expect("an odd index has a left sibling among the peaks");
            hash = node_hash(&left, &hash);
            level += 1;
            index >>= 1;
            finished.push(HashedSubtree { level, index, hash });
        }
        self.peaks.push(hash);
        self.size += 1;
        finished
    }

    /// The root; of an empty tree SHA-256 of nothing.
    pub fn root(&self) -> Hash {
        hash_of_parts(&self.peaks).unwrap_or_else(empty_root)
    }
}

/// Root of a list of leaf hashes.
pub fn root_of(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.append(leaf);
    }
    frontier.root()
}
