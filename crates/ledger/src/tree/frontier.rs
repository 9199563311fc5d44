//! The right edge of the tree: enough to append a leaf and to know the root.

use super::TreeHash;

/// The roots of the complete subtrees that make a tree of `size` leaves, largest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frontier {
    size: u64,
    peaks: Vec<TreeHash>,
}

/// A subtree of `2^level` leaves that is complete now; the `index`-th of its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subtree {
    pub level: u32,
    pub index: u64,
    pub hash: TreeHash,
}

impl Frontier {
    pub const fn empty() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` unless there is one hash per bit of the size.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let peaks: Vec<TreeHash> = hashes.iter().copied().map(TreeHash).collect();
        (rest.is_empty() && peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.iter().flat_map(|peak| peak.0).collect()
    }

    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; returns it and every subtree that it completes, smallest first.
    pub fn push(&mut self, leaf: TreeHash) -> Vec<Subtree> {
        let mut subtree = Subtree { level: 0, index: self.size, hash: leaf };
        let mut complete = vec![subtree];
        // one carry per trailing one bit, as in binary addition
        while self.size >> subtree.level & 1 == 1 {
            let left = self.peaks.pop().expect("there is one peak per bit of the size");
            subtree = Subtree {
                level: subtree.level + 1,
                index: subtree.index / 2,
                hash: TreeHash::node(left, subtree.hash),
            };
            complete.push(subtree);
        }
        self.peaks.push(subtree.hash);
        self.size += 1;
        complete
    }

    pub fn root(&self) -> TreeHash {
        fold(&self.peaks)
    }
}

/// Joins the roots of neighbouring subtrees, largest first, into the root over all of them.
pub(super) fn fold(peaks: &[TreeHash]) -> TreeHash {
    let join = |right, left: &TreeHash| TreeHash::node(*left, right);
    match peaks.split_last() {
        None => TreeHash::empty(),
        Some((last, rest)) => rest.iter().rev().fold(*last, join),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root_of(entries: &[&str]) -> String {
        let mut frontier = Frontier::empty();
        for entry in entries {
            frontier.push(TreeHash::leaf(entry.as_bytes()));
        }
        format!("{:?}", frontier.root())
    }

    #[test]
    fn published_roots_are_reproduced() {
        let vectors: [(&[&str], &str); 4] = [
            (&[], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (&[""], "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (&["a", "b", "c"], "36642e73c2540ab121e3a6bf9545b0a24982cd830eb13d3cd19de3ce6c021ec1"),
            (&["0", "1", "2", "3", "4", "5", "6"], "a3e23b32ccb6bf96d092d165d8aa546e09829de8f03b0e8957581d1e16b92bdf"),
        ];
        for (entries, root) in vectors {
            assert_eq!(root_of(entries), root, "{entries:?}");
        }
    }

    #[test]
    fn bytes_of_another_size_are_refused() {
        let mut frontier = Frontier::empty();
        for entry in 0..11u8 {
            frontier.push(TreeHash::leaf(&[entry]));
        }
        let bytes = frontier.to_bytes();
        assert_eq!(Frontier::from_bytes(11, &bytes), Some(frontier));
        assert_eq!(Frontier::from_bytes(12, &bytes), None);
        assert_eq!(Frontier::from_bytes(11, &bytes[1..]), None);
    }
}
