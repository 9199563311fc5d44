//! Which files differ between two stored folders, or between a stored one and the folder.

use std::{cmp::Ordering, path::Path};

use stemma_core::{Digest, Problem, name::TreePath};
use stemma_store::{
    FolderEntry, FolderWatch, KnownFile, Store, StoreError, TreeChange, TreeEntries, TreeEntry, scan_folder,
};
use stemma_workspace::WorkspaceError;

/// Changes that are listed one by one; the rest is only counted.
const LISTED_MAX: usize = 10_000;

#[derive(Default)]
pub struct Changes {
    pub listed: Vec<TreeChange>,
    pub more: u64,
}

impl Changes {
    fn add(&mut self, path: TreePath, before: Option<TreeEntry>, after: Option<TreeEntry>) {
        if before == after {
            return;
        }
        match self.listed.len() < LISTED_MAX {
            true => self.listed.push(TreeChange { path, before, after }),
            false => self.more += 1,
        }
    }
}

pub fn is_tree(store: &Store, digest: &Digest) -> Result<bool, Problem> {
    Ok(store.tree_summary(digest).map_err(WorkspaceError::from)?.is_some())
}

pub fn between(store: &Store, before: &Digest, after: &Digest) -> Result<Changes, Problem> {
    let mut changes = Changes::default();
    for change in store.diff_trees(before, after).map_err(WorkspaceError::from)? {
        let change = change.map_err(WorkspaceError::from)?;
        changes.add(change.path, change.before, change.after);
    }
    Ok(changes)
}

pub fn with_folder(store: &Store, before: &Digest, folder: &Path) -> Result<Changes, Problem> {
    let compare = || -> Result<Changes, StoreError> {
        let entries = store.tree_entries(before)?.ok_or(StoreError::NotFound(*before))?;
        let mut merge = Merge { entries, next: None, changes: Changes::default() };
        merge.advance()?;
        scan_folder(folder, &mut merge)?;
        while let Some((path, entry)) = merge.take()? {
            merge.changes.add(path, Some(entry), None);
        }
        Ok(merge.changes)
    };
    Ok(compare().map_err(WorkspaceError::from)?)
}

/// Both sides come in order, so that neither is ever whole in memory.
struct Merge {
    entries: TreeEntries,
    next: Option<(TreePath, TreeEntry)>,
    changes: Changes,
}

impl Merge {
    fn advance(&mut self) -> Result<(), StoreError> {
        self.next = self.entries.next().transpose()?;
        Ok(())
    }

    fn take(&mut self) -> Result<Option<(TreePath, TreeEntry)>, StoreError> {
        let taken = self.next.take();
        self.advance()?;
        Ok(taken)
    }
}

impl FolderWatch for Merge {
    /// Everything is read: a comparison takes nothing on trust.
    fn known(&mut self, _path: &TreePath) -> Option<KnownFile> {
        None
    }

    fn entry(&mut self, found: FolderEntry) -> Result<(), StoreError> {
        loop {
            let order = self.next.as_ref().map_or(Ordering::Greater, |(path, _)| path.cmp(&found.path));
            if order == Ordering::Greater {
                self.changes.add(found.path, None, Some(found.entry));
                return Ok(());
            }
            let Some((path, entry)) = self.take()? else { return Ok(()) };
            if order == Ordering::Equal {
                self.changes.add(path, Some(entry), Some(found.entry));
                return Ok(());
            }
            self.changes.add(path, Some(entry), None);
        }
    }

    fn progress(&mut self, _path: &TreePath, _done: u64) {}
}

#[cfg(test)]
mod tests {
    use std::fs;

    use stemma_store::Tree;

    use super::*;

    fn keep(store: &Store, folder: &Path) -> Digest {
        let mut batch = store.batch();
        let tree = Tree::from_directory(&mut batch, folder).unwrap();
        batch.commit().unwrap();
        store.put_tree(&tree).unwrap()
    }

    fn told<'c>(changes: &'c Changes) -> Vec<(&'c str, bool, bool)> {
        let told = |change: &'c TreeChange| -> (&'c str, bool, bool) {
            let TreeChange { path, before, after } = change;
            (path.as_str(), before.is_some(), after.is_some())
        };
        changes.listed.iter().map(told).collect()
    }

    #[test]
    fn files_come_go_and_change() {
        let home = tempfile::tempdir().unwrap();
        let (store, folder) = (Store::open(&home.path().join("content")).unwrap(), home.path().join("folder"));
        fs::create_dir_all(folder.join("b")).unwrap();
        for path in ["a", "b/one", "b/two", "z"] {
            fs::write(folder.join(path), path).unwrap();
        }
        let before = keep(&store, &folder);
        assert!(told(&with_folder(&store, &before, &folder).unwrap()).is_empty());
        fs::remove_file(folder.join("a")).unwrap();
        fs::write(folder.join("b/two"), "2").unwrap();
        fs::write(folder.join("c"), "new").unwrap();
        fs::remove_file(folder.join("z")).unwrap();
        let expected = [("a", true, false), ("b/two", true, true), ("c", false, true), ("z", true, false)];
        assert_eq!(told(&with_folder(&store, &before, &folder).unwrap()), expected);
        let after = keep(&store, &folder);
        assert_eq!(told(&between(&store, &before, &after).unwrap()), expected);
        assert!(is_tree(&store, &after).unwrap() && !is_tree(&store, &Digest::from_bytes([0; 32])).unwrap());
    }
}
