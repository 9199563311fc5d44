//! Hashes and proofs of a Merkle tree, as RFC 6962 §2.1 and RFC 9162 §2.1.3 and §2.1.4 define them, and nothing of our
//! own: another structure of proofs is where forged histories get through.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

pub type Hash = [u8; 32];

/// Hash of a leaf: SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// Hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::new().finalize().into()
}

/// A complete subtree: `2^level` leaves, the `index`-th of that size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subtree {
    pub level: u32,
    pub index: u64,
}

/// The complete subtrees that leaves `range` consist of, largest first; the range begins where a subtree of its size may.
pub fn complete_parts(range: Range<u64>) -> Vec<Subtree> {
    let (mut start, size) = (range.start, range.end.saturating_sub(range.start));
    let mut parts = Vec::new();
    for level in (0..u64::BITS).rev() {
        if size >> level & 1 == 1 {
            parts.push(Subtree { level, index: start >> level });
            start += 1 << level;
        }
    }
    parts
}

/// The hash over complete subtrees that lie side by side, largest first; `None` of none.
pub fn hash_of_parts(parts: &[Hash]) -> Option<Hash> {
    let (last, before) = parts.split_last()?;
    Some(before.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

/// Which ranges of leaves the proof consists of that a leaf is in the tree of `size` leaves, from its sibling up
/// (RFC 9162 §2.1.3.1). Leaves count from 0.
pub fn inclusion_ranges(leaf: u64, size: u64) -> Vec<Range<u64>> {
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    if leaf >= size {
        return path;
    }
    while end - start > 1 {
        // the largest power of two below the size
        let split = start + (end - start).next_power_of_two() / 2;
        if leaf < split {
            path.push(split..end);
            end = split;
        } else {
            path.push(start..split);
            start = split;
        }
    }
    path.reverse();
    path
}

/// Checks that a leaf is in the tree of `size` leaves (RFC 9162 §2.1.3.2). Leaves count from 0.
pub fn is_included(hash: &Hash, leaf: u64, size: u64, root: &Hash, path: &[Hash]) -> bool {
    if leaf >= size {
        return false;
    }
    let (mut node, mut last, mut top) = (leaf, size - 1, *hash);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            top = node_hash(sibling, &top);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            top = node_hash(&top, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && top == *root
}

/// Which ranges of leaves the proof that `first` leaves are a beginning of `second` consists of, in its order
/// (RFC 9162 §2.1.4.1). None where nothing needs a proof: an empty beginning, or equal sizes.
pub fn consistency_ranges(first: u64, second: u64) -> Vec<Range<u64>> {
    let (mut rest, mut start, mut end) = (first, 0, second);
    let (mut inner, mut is_known) = (Vec::new(), true);
    if first == 0 || first >= second {
        return inner;
    }
    while rest < end - start {
        // the largest power of two below the size
        let split = (end - start).next_power_of_two() / 2;
        if rest <= split {
            inner.push(start + split..end);
            end = start + split;
        } else {
            inner.push(start..start + split);
            (rest, start, is_known) = (rest - split, start + split, false);
        }
    }
    if !is_known {
        inner.push(start..end);
    }
    inner.reverse();
    inner
}

/// Checks that the tree of `first` leaves is a beginning of that of `second` (RFC 9162 §2.1.4.2).
pub fn is_beginning(first: u64, first_root: &Hash, second: u64, second_root: &Hash, proof: &[Hash]) -> bool {
    if first == 0 {
        return proof.is_empty() && *first_root == empty_root();
    }
    if first >= second {
        return first == second && proof.is_empty() && first_root == second_root;
    }
    let mut proof = proof.iter();
    // a beginning that is one complete subtree is known to who asks, and not sent
    let start = if first.is_power_of_two() { Some(first_root) } else { proof.next() };
    let Some(start) = start else {
        return false;
    };
    let trailing = (first - 1).trailing_ones();
    let (mut inner, mut last) = ((first - 1) >> trailing, (second - 1) >> trailing);
    let (mut first_hash, mut second_hash) = (*start, *start);
    for hash in proof {
        if last == 0 {
            return false;
        }
        if inner & 1 == 1 || inner == last {
            first_hash = node_hash(hash, &first_hash);
            second_hash = node_hash(hash, &second_hash);
            while inner & 1 == 0 && inner != 0 {
                (inner, last) = (inner >> 1, last >> 1);
            }
        } else {
            second_hash = node_hash(&second_hash, hash);
        }
        (inner, last) = (inner >> 1, last >> 1);
    }
    first_hash == *first_root && second_hash == *second_root && last == 0
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    /// Leaves, roots and proofs that the tests of Certificate Transparency logs share.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    const PROOFS: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];

    /// Leaf (from 0), size, and path from the sibling up.
    const PATHS: [(u64, u64, &[&str]); 5] = [
        (0, 1, &[]),
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
        (
            1,
            5,
            &[
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];

    fn path(leaves: &[Hash], leaf: u64, size: u64) -> Vec<Hash> {
        let ranges = inclusion_ranges(leaf, size).into_iter();
        ranges.map(|range| root_of(&leaves[range.start as usize..range.end as usize])).collect()
    }

    #[test]
    fn paths_are_the_published_ones_and_others_prove_nothing() {
        let leaves = published();
        for (leaf, size, expected) in PATHS {
            let expected: Vec<Hash> = expected.iter().map(|hex| hash(hex)).collect();
            assert_eq!(path(&leaves, leaf, size), expected, "{leaf} {size}");
            let (entry, root) = (&leaves[leaf as usize], hash(ROOTS[size as usize - 1]));
            assert!(is_included(entry, leaf, size, &root, &expected), "{leaf} {size}");
            for (other, of) in [(leaf + 1, size), (leaf, 2 * size + 1), (size, size), (leaf, 0)] {
                assert!(!is_included(entry, other, of, &root, &expected), "{other} {of}");
            }
            if let Some((_, cut)) = expected.split_last() {
                assert!(!is_included(entry, leaf, size, &root, cut));
                assert!(!is_included(&leaves[7 - leaf as usize], leaf, size, &root, &expected));
            }
            let longer = [&expected[..], &leaves[..1]].concat();
            assert!(!is_included(entry, leaf, size, &root, &longer));
        }
        assert!(inclusion_ranges(5, 5).is_empty() && inclusion_ranges(u64::MAX / 4, u64::MAX / 4 + 1).len() <= 64);
    }

    fn hash(hex: &str) -> Hash {
        HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
    }

    /// The root as §2.1.1 defines it, word by word.
    fn root_of(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&root_of(left), &root_of(right))
            }
        }
    }

    fn proof(leaves: &[Hash], first: u64, second: u64) -> Vec<Hash> {
        let ranges = consistency_ranges(first, second);
        ranges.into_iter().map(|range| root_of(&leaves[range.start as usize..range.end as usize])).collect()
    }

    fn published() -> Vec<Hash> {
        LEAVES.iter().map(|hex| leaf_hash(&HEXLOWER.decode(hex.as_bytes()).unwrap())).collect()
    }

    #[test]
    fn roots_and_proofs_are_the_published_ones() {
        let leaves = published();
        for (size, root) in (1..).zip(ROOTS) {
            assert_eq!(root_of(&leaves[..size]), hash(root), "{size}");
        }
        for (first, second, expected) in PROOFS {
            let expected: Vec<Hash> = expected.iter().map(|hex| hash(hex)).collect();
            assert_eq!(proof(&leaves, first, second), expected, "{first} {second}");
            let root = |size: u64| hash(ROOTS[size as usize - 1]);
            assert!(is_beginning(first, &root(first), second, &root(second), &expected), "{first} {second}");
        }
    }

    #[test]
    fn what_proves_nothing_is_not_believed() {
        let root = |size: usize| hash(ROOTS[size - 1]);
        let good: Vec<Hash> = PROOFS[2].2.iter().map(|hex| hash(hex)).collect();
        assert!(is_beginning(0, &empty_root(), 8, &root(8), &[]));
        assert!(!is_beginning(0, &root(1), 8, &root(8), &[]), "nothing has one root only");
        assert!(!is_beginning(8, &root(8), 6, &root(6), &[]), "shorter than its beginning");
        assert!(!is_beginning(8, &root(8), 8, &root(7), &[]), "two roots of one size");
        assert!(!is_beginning(8, &root(8), 8, &root(8), &good), "a proof of what needs none");
        assert!(!is_beginning(6, &root(6), 8, &root(8), &[]), "no proof");
        assert!(!is_beginning(6, &root(6), 8, &root(8), &good[..2]), "cut");
        assert!(!is_beginning(6, &root(6), 8, &root(8), &[&good[..], &good[..1]].concat()), "too long");
        assert!(!is_beginning(6, &root(5), 8, &root(8), &good));
        assert!(!is_beginning(5, &root(5), 8, &root(8), &good), "of another size");
        assert!(!is_beginning(u64::MAX - 1, &root(6), u64::MAX, &root(8), &good));
    }

    #[test]
    fn ranges_of_huge_trees_are_few() {
        for first in [1, 3, 1 << 40, (1 << 40) + 12345, u64::MAX / 4] {
            assert!(consistency_ranges(first, u64::MAX / 4 + 7).len() <= 64, "{first}");
        }
        assert!(consistency_ranges(0, 5).is_empty() && consistency_ranges(5, 5).is_empty());
    }

    proptest! {
        #[test]
        fn every_leaf_is_proved_and_another_in_its_place_is_not(
            size in 1u64..130, pick in any::<proptest::sample::Index>(), bit in 0usize..256,
        ) {
            let leaf = pick.index(size as usize) as u64;
            let leaves: Vec<Hash> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let (root, right) = (root_of(&leaves), path(&leaves, leaf, size));
            prop_assert!(is_included(&leaves[leaf as usize], leaf, size, &root, &right));
            let mut other = leaves[leaf as usize];
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!is_included(&other, leaf, size, &root, &right));
            for (at, _) in right.iter().enumerate() {
                let mut wrong = right.clone();
                wrong[at][bit / 8] ^= 1 << (bit % 8);
                prop_assert!(!is_included(&leaves[leaf as usize], leaf, size, &root, &wrong));
            }
        }

        #[test]
        fn a_beginning_is_proved_and_another_history_is_not(
            second in 1u64..130, pick in any::<proptest::sample::Index>(), altered in any::<proptest::sample::Index>(),
        ) {
            let first = pick.index(second as usize) as u64 + 1;
            let mut leaves: Vec<Hash> = (0..second).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let (then, now) = (root_of(&leaves[..first as usize]), root_of(&leaves));
            let right = proof(&leaves, first, second);
            prop_assert!(is_beginning(first, &then, second, &now, &right));
            for (n, range) in consistency_ranges(first, second).into_iter().enumerate() {
                let parts: Vec<Hash> = complete_parts(range)
                    .into_iter()
                    .map(|place| {
                        let (from, count) = ((place.index as usize) << place.level, 1usize << place.level);
                        root_of(&leaves[from..from + count])
                    })
                    .collect();
                prop_assert_eq!(hash_of_parts(&parts).unwrap(), right[n]);
            }
            // one event that was remembered is another now: no proof that the new tree has leads to the old root
            let at = altered.index(first as usize);
            leaves[at] = leaf_hash(b"altered");
            let forged = root_of(&leaves);
            prop_assert!(!is_beginning(first, &then, second, &forged, &right));
            prop_assert!(!is_beginning(first, &then, second, &forged, &proof(&leaves, first, second)));
        }
    }
}
