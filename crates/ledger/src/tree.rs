//! The Merkle tree over the leaves.

pub use stemma_core::history::{
    frontier::{Frontier, root_of},
    merkle::{Hash, leaf_hash},
};

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
            let root = root_of(leaves.iter().copied());
            prop_assert_eq!(oracle.root().as_bytes().to_vec(), root.to_vec());
            let index = pick.index(entries.len());
            let ranges = merkle::inclusion_ranges(index as u64, entries.len() as u64).into_iter();
            let path: Vec<Hash> = ranges
                .map(|range| root_of(leaves[range.start as usize..range.end as usize].iter().copied()))
                .collect();
            prop_assert_eq!(oracle.prove_inclusion(index).as_bytes().to_vec(), path.concat());
            prop_assert!(merkle::is_included(&leaves[index], index as u64, entries.len() as u64, &root, &path));
        }
    }
}
