//! Subtree hashes in the database, and what is computed from them.

use std::collections::HashMap;

use super::{
    Subtree, TreeHash,
    frontier::fold,
    proof::{Leaves, consistency_ranges, inclusion_ranges, subtrees},
};
use crate::{
    LedgerError,
    sql::{Connection, Value},
};

impl Connection {
    pub(crate) async fn insert_subtrees(&mut self, complete: &[Subtree]) -> Result<(), LedgerError> {
        let mut rows = Vec::with_capacity(complete.len());
        for subtree in complete {
            rows.push([Value::from(subtree.level), Value::count(subtree.index)?, Value::Blob(subtree.hash.0.to_vec())]);
        }
        self.insert_rows("INSERT INTO tree_hash (level, idx, hash)", "", &rows).await
    }

    /// The stored hashes of all subtrees that were completed when a tree of `size` leaves grew by `count`.
    pub(crate) async fn subtrees_completed_by(
        &mut self,
        size: u64,
        count: u64,
    ) -> Result<HashMap<(u32, u64), TreeHash>, LedgerError> {
        let mut found = HashMap::new();
        let end = size + count;
        for level in 0..=end.max(1).ilog2() {
            // subtree `index` of a level is complete with leaf number `(index + 1) << level`
            let range = [Value::from(level), Value::count(size >> level)?, Value::count(end >> level)?];
            let sql = "SELECT idx, hash FROM tree_hash WHERE level = $1 AND idx >= $2 AND idx < $3";
            for row in self.rows(sql, &range).await? {
                // a hash of another length is none, and therefore not the expected one
                if let Ok(hash) = row.hash("hash") {
                    found.insert((level, row.number("idx")?), TreeHash(hash));
                }
            }
        }
        Ok(found)
    }

    /// A stored subtree, as (level, index), that a tree of `size` leaves does not have.
    pub(crate) async fn subtree_outside(&mut self, size: u64) -> Result<Option<(i64, i64)>, LedgerError> {
        let levels = size.checked_ilog2().map_or(0, |highest| highest + 1);
        let sql = "SELECT level, idx FROM tree_hash WHERE level < 0 OR level >= $1 OR idx < 0 LIMIT 1";
        let mut row = self.row(sql, &[levels.into()]).await?;
        for level in 0..levels {
            let sql = "SELECT level, idx FROM tree_hash WHERE level = $1 AND idx >= $2 LIMIT 1";
            row = row.or(self.row(sql, &[level.into(), Value::count(size >> level)?]).await?);
        }
        row.map(|row| Ok((row.int("level")?, row.int("idx")?))).transpose()
    }

    pub(crate) async fn inclusion_proof(&mut self, index: u64, size: u64) -> Result<Vec<TreeHash>, LedgerError> {
        self.range_roots(inclusion_ranges(index, size)).await
    }

    pub(crate) async fn consistency_proof(&mut self, old: u64, new: u64) -> Result<Vec<TreeHash>, LedgerError> {
        self.range_roots(consistency_ranges(old, new)).await
    }

    async fn range_roots(&mut self, ranges: Vec<Leaves>) -> Result<Vec<TreeHash>, LedgerError> {
        let mut roots = Vec::with_capacity(ranges.len());
        for range in ranges {
            roots.push(self.range_root(range).await?);
        }
        Ok(roots)
    }

    async fn range_root(&mut self, leaves: Leaves) -> Result<TreeHash, LedgerError> {
        let mut peaks = Vec::new();
        for (level, index) in subtrees(leaves) {
            let at = [Value::from(level), Value::count(index)?];
            let row = self.row("SELECT hash FROM tree_hash WHERE level = $1 AND idx = $2", &at).await?;
            let missing = || LedgerError::corrupt("the tree", format!("no hash {index} of level {level}"));
            peaks.push(TreeHash(row.ok_or_else(missing)?.hash("hash")?));
        }
        Ok(fold(&peaks))
    }
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::*;
    use crate::{
        sql::Database,
        tree::{Frontier, verify_consistency, verify_inclusion},
    };

    /// A tree in an empty database beside one of another library.
    async fn grow(size: u64) -> (Connection, Frontier, MemoryBackedTree<Sha256, [u8; 8]>) {
        let mut connection = Database::memory().await.unwrap().writer().await.unwrap();
        connection.migrate().await.unwrap();
        connection.begin().await.unwrap();
        let mut frontier = Frontier::empty();
        let mut oracle = MemoryBackedTree::new();
        for entry in 0..size {
            let entry = entry.to_be_bytes();
            connection.insert_subtrees(&frontier.push(TreeHash::leaf(&entry))).await.unwrap();
            oracle.push(entry);
        }
        (connection, frontier, oracle)
    }

    fn bytes(proof: &[TreeHash]) -> Vec<u8> {
        proof.iter().flat_map(|hash| hash.0).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn roots_and_proofs_are_those_of_another_library(size in 1u64..150, pick in any::<proptest::sample::Index>()) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (mut connection, frontier, oracle) = grow(size).await;
                let root = frontier.root();
                prop_assert_eq!(root.0.to_vec(), oracle.root().as_bytes().to_vec());

                let index = pick.index(size as usize) as u64;
                let leaf = TreeHash::leaf(&index.to_be_bytes());
                let proof = connection.inclusion_proof(index, size).await.unwrap();
                prop_assert_eq!(bytes(&proof), oracle.prove_inclusion(index as usize).as_bytes().to_vec());
                prop_assert!(verify_inclusion(leaf, index, size, &proof, root).is_ok());
                prop_assert!(verify_inclusion(TreeHash::leaf(b"x"), index, size, &proof, root).is_err());
                prop_assert!(verify_inclusion(leaf, index, size, &[&proof[..], &[leaf]].concat(), root).is_err());

                let old = index + 1;
                let old_root = connection.range_root(0..old).await.unwrap();
                let proof = connection.consistency_proof(old, size).await.unwrap();
                prop_assert_eq!(bytes(&proof), oracle.prove_consistency((size - old) as usize).as_bytes().to_vec());
                prop_assert!(verify_consistency((old, old_root), (size, root), &proof).is_ok());
                prop_assert!(verify_consistency((old, TreeHash::leaf(b"x")), (size, root), &proof).is_err());
                prop_assert!(verify_consistency((old, old_root), (size, TreeHash::leaf(b"x")), &proof).is_err());
                Ok(())
            })?;
        }
    }
}
