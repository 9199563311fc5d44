//! The Merkle tree over the leaves (RFC 6962 §2.1): hashes of complete subtrees are kept, everything else follows.

pub use stemma_core::history::merkle::{Hash, leaf_hash};
use stemma_core::history::merkle::{empty_root, hash_of_parts, node_hash};

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

/// Audit path of a leaf, from its sibling up (RFC 6962 §2.1.1).
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let split = split_at(leaves.len());
    let (left, right) = leaves.split_at(split);
    if index < split {
        let mut path = inclusion_proof(left, index);
        path.push(root_of(right.iter().copied()));
        path
    } else {
        let mut path = inclusion_proof(right, index - split);
        path.push(root_of(left.iter().copied()));
        path
    }
}

/// The largest power of two below n.
fn split_at(n: usize) -> usize {
    n.next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use stemma_core::history::merkle;

    use super::*;

    fn root(entries: &[&str]) -> String {
        HEXLOWER.encode(&root_of(entries.iter().map(|entry| leaf_hash(entry.as_bytes()))))
    }

    #[test]
    fn published_vectors() {
        assert_eq!(root(&[]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(root(&[""]), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(root(&["a", "b", "c"]), "36642e73c2540ab121e3a6bf9545b0a24982cd830eb13d3cd19de3ce6c021ec1");
        let seven = ["0", "1", "2", "3", "4", "5", "6"];
        assert_eq!(root(&seven), "a3e23b32ccb6bf96d092d165d8aa546e09829de8f03b0e8957581d1e16b92bdf");
    }

    proptest! {
        #[test]
        fn a_frontier_rebuilt_from_its_parts_goes_on_the_same(size in 0u64..200, more in 1u64..20) {
            let mut whole = Frontier::default();
            let mut kept = std::collections::HashMap::new();
            for i in 0..size {
                for tree in whole.append(leaf_hash(&i.to_be_bytes())) {
                    kept.insert((tree.level, tree.index), tree.hash);
                }
            }
            let parts = merkle::complete_parts(0..size).into_iter();
            let peaks = parts.map(|part| kept[&(part.level, part.index)]).collect();
            let mut rebuilt = Frontier::new(size, peaks).unwrap();
            prop_assert_eq!(&rebuilt, &whole);
            for i in 0..more {
                whole.append(leaf_hash(&i.to_be_bytes()));
                rebuilt.append(leaf_hash(&i.to_be_bytes()));
            }
            prop_assert_eq!(rebuilt.root(), whole.root());
        }

        #[test]
        fn roots_and_paths_are_those_of_another_implementation(entries in proptest::collection::vec(any::<Vec<u8>>(), 1..60), pick in any::<proptest::sample::Index>()) {
            let mut oracle = ct_merkle::mem_backed_tree::MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
            for entry in &entries {
                oracle.push(entry.clone());
            }
            let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
            prop_assert_eq!(oracle.root().as_bytes().to_vec(), root_of(leaves.iter().copied()).to_vec());
            let index = pick.index(entries.len());
            let theirs = oracle.prove_inclusion(index);
            prop_assert_eq!(theirs.as_bytes().to_vec(), inclusion_proof(&leaves, index).concat());
        }
    }
}
