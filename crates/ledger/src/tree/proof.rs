//! Inclusion and consistency proofs: which subtrees they are made of, and how they are checked.

use super::TreeHash;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("the proof is for a leaf or size outside of the tree")]
    OutOfRange,
    #[error("the proof has the wrong number of hashes")]
    WrongLength,
    #[error("the hashes of the proof do not lead to the root")]
    WrongRoot,
}

/// Leaves `start .. end`.
pub(super) type Leaves = std::ops::Range<u64>;

/// The ranges whose roots prove that leaf `index` is in a tree of `size`, from leaf to root.
pub(super) fn inclusion_ranges(index: u64, size: u64) -> Vec<Leaves> {
    let mut ranges = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(start..middle);
            start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The ranges whose roots prove that the tree of `old` leaves is the beginning of the one of `new`.
pub(super) fn consistency_ranges(old: u64, new: u64) -> Vec<Leaves> {
    let mut ranges = Vec::new();
    if old == 0 || old == new {
        return ranges;
    }
    let (mut start, mut end) = (0, new);
    let mut whole = true;
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(start..middle);
            start = middle;
            whole = false;
        }
    }
    if !whole {
        ranges.push(start..end);
    }
    ranges.reverse();
    ranges
}

/// The complete subtrees, as (level, index), that cover leaves from an aligned start; largest first.
pub(super) fn subtrees(leaves: Leaves) -> Vec<(u32, u64)> {
    let mut found = Vec::new();
    let mut start = leaves.start;
    while start < leaves.end {
        let level = (leaves.end - start).ilog2();
        found.push((level, start >> level));
        start += 1 << level;
    }
    found
}

/// The largest power of two below `n`, for `n` of at least 2.
const fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// Checks that a leaf is in the tree that has this root.
pub fn verify_inclusion(
    leaf: TreeHash,
    index: u64,
    size: u64,
    proof: &[TreeHash],
    root: TreeHash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange);
    }
    let ranges = inclusion_ranges(index, size);
    if ranges.len() != proof.len() {
        return Err(ProofError::WrongLength);
    }
    let mut hash = leaf;
    for (range, sibling) in ranges.iter().zip(proof) {
        hash = if range.start > index { TreeHash::node(hash, *sibling) } else { TreeHash::node(*sibling, hash) };
    }
    if hash == root { Ok(()) } else { Err(ProofError::WrongRoot) }
}

/// Checks that the tree with the old root is the beginning of the tree with the new one.
pub fn verify_consistency(
    (old_size, old_root): (u64, TreeHash),
    (new_size, new_root): (u64, TreeHash),
    proof: &[TreeHash],
) -> Result<(), ProofError> {
    if old_size > new_size {
        return Err(ProofError::OutOfRange);
    }
    let ranges = consistency_ranges(old_size, new_size);
    if ranges.len() != proof.len() {
        return Err(ProofError::WrongLength);
    }
    let (old_found, new_found) = if old_size == 0 {
        (TreeHash::empty(), new_root)
    } else if old_size == new_size {
        (new_root, old_root)
    } else if old_size.is_power_of_two() {
        climb(old_root, old_size, &ranges, proof)
    } else {
        climb(proof[0], old_size, &ranges[1..], &proof[1..])
    };
    if old_found == old_root && new_found == new_root { Ok(()) } else { Err(ProofError::WrongRoot) }
}

/// Joins a subtree of the old tree with its neighbours up to both roots: those to its right are only in the new one.
fn climb(start: TreeHash, old_size: u64, ranges: &[Leaves], proof: &[TreeHash]) -> (TreeHash, TreeHash) {
    let (mut old, mut new) = (start, start);
    for (range, sibling) in ranges.iter().zip(proof) {
        if range.start >= old_size {
            new = TreeHash::node(new, *sibling);
        } else {
            old = TreeHash::node(*sibling, old);
            new = TreeHash::node(*sibling, new);
        }
    }
    (old, new)
}
