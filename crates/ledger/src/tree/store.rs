//! Subtree hashes in the database, and what is computed from them.

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
        for subtree in complete {
            let values =
                [Value::from(subtree.level), Value::count(subtree.index)?, Value::Blob(subtree.hash.0.to_vec())];
            self.execute("INSERT INTO tree_hash (level, idx, hash) VALUES ($1, $2, $3)", &values).await?;
        }
        Ok(())
    }

    /// The root of the first `size` leaves.
    pub(crate) async fn root_at(&mut self, size: u64) -> Result<TreeHash, LedgerError> {
        self.range_root(0..size).await
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
