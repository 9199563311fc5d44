//! What a folder holds now, and how it differs from a tree.

use std::{cmp::Ordering, iter::Peekable, path::Path};

use serde::Serialize;
use stemma_core::{Digest, name::TreePath, pointer::Pointer};
use stemma_store::{
    Batch, FolderEntry, FolderWatch, HashOnly, KnownFile, Moment, Store, StoreError, TreeBuilder, TreeEntry,
    TreeSummary, scan_folder,
};

use super::listing::{Listing, Record, Records, Writer};
use crate::{
    pointer,
    settled::{Settled, is_past},
};

/// Paths inside a folder that are named one by one.
const NAMED_MAX: usize = 1000;
/// How long pointers are that others leave in folders: to open every short file for it would take its time.
const POINTER_BYTES: std::ops::RangeInclusive<u64> = 40..=1023;

/// What became of a path inside a tracked folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InsideState {
    Added,
    Modified,
    Deleted,
}

/// A path inside a tracked folder that is not as the lock says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InsideChange {
    /// Seen from the folder.
    pub path: TreePath,
    pub state: InsideState,
}

/// How a folder differs from what the lock says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Inside {
    pub added: u64,
    pub modified: u64,
    pub deleted: u64,
    /// The first of them.
    pub changes: Vec<InsideChange>,
    /// Why it can't be told: something in it could not stand in a tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A folder as it is now.
pub(crate) struct Present {
    pub summary: TreeSummary,
    pub(super) listing: Listing,
}

/// Finds out what a folder holds. Only what does not look as it did is read, and nothing is stored.
pub(crate) fn look(home: &Path, folder: &Path) -> Result<Present, StoreError> {
    let mut watch = Watch::new(home, folder, Some(TreeBuilder::default()), None)?;
    scan_folder(folder, &mut watch)?;
    let summary = watch.tree.take().unwrap_or_default().finish(&mut HashOnly)?;
    let listing = watch.writer.finish()?;
    listing.remember(home, folder);
    Ok(Present { summary, listing })
}

/// Adds a folder to a batch; what does not look as it did and is stored is not read. `progress` gets paths as seen from
/// the folder and the bytes of each that were read so far. The first of the files that only say where content is are
/// returned too.
pub(crate) fn put(
    home: &Path,
    folder: &Path,
    batch: &mut Batch,
    progress: &mut dyn FnMut(&TreePath, u64),
) -> Result<(TreeSummary, Vec<(TreePath, Pointer)>), StoreError> {
    let mut watch = Watch::new(home, folder, None, Some(progress))?;
    let summary = batch.put_folder(folder, &mut watch)?;
    watch.writer.finish()?.remember(home, folder);
    Ok((summary, watch.pointers))
}

impl Present {
    /// Names what differs from a tree in the store.
    pub fn compare(&self, store: &Store, tree: &Digest) -> Result<Inside, StoreError> {
        let mut inside = Inside::default();
        for difference in self.differences(store, tree)? {
            let Difference { path, wanted, found } = difference?;
            let (count, state) = match (wanted, found) {
                (None, _) => (&mut inside.added, InsideState::Added),
                (Some(_), None) => (&mut inside.deleted, InsideState::Deleted),
                (Some(_), Some(_)) => (&mut inside.modified, InsideState::Modified),
            };
            *count += 1;
            if inside.changes.len() < NAMED_MAX {
                inside.changes.push(InsideChange { path, state });
            }
        }
        Ok(inside)
    }

    /// Whether all that a tree would overwrite or remove is in the store.
    pub fn is_kept(&self, store: &Store, tree: &Digest) -> Result<bool, StoreError> {
        for difference in self.differences(store, tree)? {
            let is_kept = match difference?.found {
                None | Some(TreeEntry::EmptyDirectory) => true,
                Some(TreeEntry::File { digest, .. }) => store.contains(&digest),
                Some(TreeEntry::Symlink { .. }) => false,
            };
            if !is_kept {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn differences(&self, store: &Store, tree: &Digest) -> Result<Differences, StoreError> {
        // a path that was a file before has no tree: all that is in the folder is new
        let wanted: Wanted = match store.tree_entries(tree)? {
            Some(entries) => Box::new(entries),
            None => Box::new(std::iter::empty()),
        };
        Ok(Differences { wanted: wanted.peekable(), found: self.listing.records()?.peekable() })
    }
}

type Wanted = Box<dyn Iterator<Item = Result<(TreePath, TreeEntry), StoreError>>>;

/// What a folder should have at a path and what it has, where that is not the same.
pub(super) struct Difference {
    pub path: TreePath,
    pub wanted: Option<TreeEntry>,
    pub found: Option<TreeEntry>,
}

pub(super) struct Differences {
    wanted: Peekable<Wanted>,
    found: Peekable<Records>,
}

impl Differences {
    /// Goes behind the lesser of the next paths, or both if they are the same.
    fn step(&mut self) -> Result<Option<Difference>, StoreError> {
        let order = match (self.wanted.peek(), self.found.peek()) {
            (None, None) => return Ok(None),
            (Some(Err(_)), _) | (Some(Ok(_)), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(Ok((wanted, _))), Some(found)) => wanted.cmp(&found.path),
        };
        let wanted = if order.is_le() { self.wanted.next().transpose()? } else { None };
        let found = if order.is_ge() { self.found.next() } else { None };
        let path = wanted.as_ref().map(|(path, _)| path).or(found.as_ref().map(|found| &found.path)).cloned();
        let (wanted, found) = (wanted.map(|(_, entry)| entry), found.map(|found| found.entry));
        Ok(path.map(|path| Difference { path, wanted, found }))
    }
}

impl Iterator for Differences {
    type Item = Result<Difference, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step().transpose()? {
                Ok(Difference { wanted, found, .. }) if wanted == found => {}
                told => return Some(told),
            }
        }
    }
}

/// Gets each path and the bytes of it that were read.
type Progress<'a> = &'a mut dyn FnMut(&TreePath, u64);

/// Tells the reading of a folder what is remembered of it, and remembers what is found.
struct Watch<'a> {
    folder: &'a Path,
    now: Moment,
    settled: Settled,
    remembered: Option<Peekable<Records>>,
    writer: Writer,
    /// Set if the name of the tree is wanted.
    tree: Option<TreeBuilder>,
    progress: Option<Progress<'a>>,
    pointers: Vec<(TreePath, Pointer)>,
}

impl<'a> Watch<'a> {
    fn new(
        home: &Path,
        folder: &'a Path,
        tree: Option<TreeBuilder>,
        progress: Option<Progress<'a>>,
    ) -> Result<Self, StoreError> {
        let remembered = Records::remembered(home, folder).map(Iterator::peekable);
        let writer = Writer::new(home)?;
        let (now, settled, pointers) = (Moment::precise(), Settled::default(), Vec::new());
        Ok(Self { folder, now, settled, remembered, writer, tree, progress, pointers })
    }

    /// The pointer that an entry is, if it is one. Files that were not read are as they were when it was told.
    fn pointer(&self, path: &TreePath, entry: &TreeEntry, was_read: bool) -> Option<Pointer> {
        match entry {
            TreeEntry::File { size, .. } if was_read && POINTER_BYTES.contains(size) => {
                pointer::at(&self.folder.join(path.as_str()))
            }
            TreeEntry::Symlink { target } => pointer::behind(target),
            _ => None,
        }
    }
}

impl FolderWatch for Watch<'_> {
    fn known(&mut self, path: &TreePath) -> Option<KnownFile> {
        let remembered = self.remembered.as_mut()?;
        while remembered.next_if(|record| record.path < *path).is_some() {}
        let record = remembered.next_if(|record| record.path == *path)?;
        let (digest, mut stamp) = (record.entry.digest()?, record.stamp?);
        if !record.is_settled || !is_past(&stamp, self.now) {
            // what it was is worth knowing; that it still is can't be told
            stamp.ctime_ns = i64::MIN;
        }
        Some(KnownFile { digest, stamp })
    }

    fn entry(&mut self, found: FolderEntry) -> Result<(), StoreError> {
        let FolderEntry { path, entry, stamp, read_began } = found;
        if let Some(tree) = &mut self.tree {
            tree.push(&mut HashOnly, &path, &entry)?;
        }
        if let Some(progress) = &mut self.progress {
            progress(&path, entry.size());
        }
        if self.pointers.len() < NAMED_MAX {
            let pointer = self.pointer(&path, &entry, read_began.is_some());
            self.pointers.extend(pointer.map(|pointer| (path.clone(), pointer)));
        }
        let is_settled = match (read_began, stamp) {
            (Some(began), Some(stamp)) => self.settled.is(&self.folder.join(path.as_str()), &stamp, began),
            _ => true,
        };
        self.writer.push(&Record { path, entry, stamp, is_settled })
    }

    fn progress(&mut self, path: &TreePath, done: u64) {
        if let Some(progress) = &mut self.progress {
            progress(path, done);
        }
    }
}
