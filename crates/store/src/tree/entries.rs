//! The entries of a stored tree, one by one or all at once.

use stemma_core::{Digest, name::TreePath};

use super::{
    cursor::Cursor,
    entry::{OrderCheck, TreeEntry},
    whole::Tree,
};
use crate::{
    error::{Result, StoreError},
    holdings::Holdings,
};

/// Most entries of a tree that is held in memory as a whole.
const ENTRIES_IN_MEMORY_MAX: u64 = 1_000_000;

/// Reads a tree of at most a million entries; `None` if there is none of this name.
pub(crate) fn read_tree(holdings: &Holdings, digest: &Digest) -> Result<Option<Tree>> {
    let Some(entries) = tree_entries(holdings, digest)? else {
        return Ok(None);
    };
    let mut tree = Tree::default();
    for entry in entries {
        let (path, entry) = entry?;
        tree.entries.insert(path, entry);
        let size = tree.entries.len() as u64;
        if size > ENTRIES_IN_MEMORY_MAX {
            return Err(StoreError::TooLarge { digest: *digest, size, limit: ENTRIES_IN_MEMORY_MAX });
        }
    }
    Ok(Some(tree))
}

/// `None` if there is none of this name.
pub(crate) fn tree_entries(holdings: &Holdings, digest: &Digest) -> Result<Option<TreeEntries>> {
    match Cursor::open(holdings, digest) {
        Ok(cursor) => Ok(Some(TreeEntries { cursor: Some(cursor), order: OrderCheck::default() })),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The entries of a stored tree, in order. Ends at the first damage.
pub struct TreeEntries {
    cursor: Option<Cursor>,
    order: OrderCheck,
}

impl TreeEntries {
    fn read(&mut self) -> Result<Option<(TreePath, TreeEntry)>> {
        let Some(cursor) = &mut self.cursor else {
            return Ok(None);
        };
        let entry = cursor.next_entry()?;
        if let Some((path, entry)) = &entry {
            self.order.check(path, entry).map_err(|what| cursor.corrupt(what))?;
        }
        Ok(entry)
    }
}

impl Iterator for TreeEntries {
    type Item = std::result::Result<(TreePath, TreeEntry), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.read().transpose();
        if !matches!(entry, Some(Ok(_))) {
            self.cursor = None;
        }
        entry
    }
}
