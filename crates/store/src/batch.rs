//! Adding content: any number of blobs and trees for the price of two or three syncs.

use std::{io::Read, path::Path};

use stemma_core::{Digest, name::TreePath};

use crate::{
    addition::{self, Addition, HeldContent},
    error::{Result, StoreError},
    exchange::{Record, RecordId},
    folder::{self, FolderWatch},
    holdings::{BlobInfo, Holdings},
    tree::{Tree, TreeChild, TreeNodes, TreeSummary},
};

/// Content on its way into the store.
///
/// What was put counts once [`commit`](Self::commit) has returned; then it survives a crash and a power loss. A
/// batch that is dropped leaves nothing that counts. (Content of long batches may become visible earlier; it is whole
/// then.)
#[must_use = "nothing that was put is kept unless the batch is committed"]
pub struct Batch {
    addition: Addition,
}

impl Batch {
    pub(crate) fn new(holdings: Holdings, held_content: HeldContent) -> Self {
        Self { addition: Addition::new(holdings, held_content) }
    }

    pub(crate) fn addition(&mut self) -> &mut Addition {
        &mut self.addition
    }

    pub fn put_bytes(&mut self, bytes: &[u8]) -> Result<BlobInfo> {
        self.put_reader(bytes)
    }

    /// Adds a regular file, calling `progress` with the bytes read so far; refuses one that changes meanwhile.
    pub fn put_file(&mut self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<BlobInfo> {
        self.put_file_like(path, None, progress)
    }

    /// The same for a file that is likely to be a later version of stored content: of what they have in common only the
    /// differences are kept. Nothing is lost if it is not, or if that content is not here.
    pub fn put_file_like(
        &mut self,
        path: &Path,
        like: Option<Digest>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<BlobInfo> {
        addition::put_file(&mut self.addition, path, like, progress)
    }

    pub fn put_reader(&mut self, reader: impl Read) -> Result<BlobInfo> {
        addition::put_reader(&mut self.addition, reader)
    }

    /// Adds a tree, but not the blobs it names.
    pub fn put_tree(&mut self, tree: &Tree) -> Result<Digest> {
        tree.put_nodes(&mut self.addition)
    }

    /// Adds a node of a tree that comes from elsewhere and returns what it refers to; refuses what is no node, or not
    /// the one that was announced.
    pub fn put_tree_node(
        &mut self,
        announced: &Digest,
        bytes: Vec<u8>,
    ) -> std::result::Result<Vec<TreeChild>, StoreError> {
        addition::put_tree_node(&mut self.addition, announced, bytes)
    }

    /// Adds a folder: its files that the store lacks, and the tree. Refuses what [`scan_folder`](crate::scan_folder)
    /// refuses.
    pub fn put_folder(
        &mut self,
        directory: &Path,
        watch: &mut dyn FolderWatch,
    ) -> std::result::Result<TreeSummary, StoreError> {
        folder::put_folder(&mut self.addition, directory, watch)
    }

    /// Whether a record need not be brought: it is here to stay, or in this batch.
    pub fn has(&mut self, id: &RecordId) -> bool {
        addition::holds_all(&mut self.addition, id)
    }

    /// Takes a record in if it is what its name says, and does nothing if it is here already.
    ///
    /// What it needs must be here and committed. The content of a recipe is read once by it, and both its digests must
    /// be right, before the recipe is believed. ([`take_in`](crate::take_in) does not read it once more for that.)
    pub fn import(&mut self, record: &Record) -> Result<()> {
        addition::import(&mut self.addition, record)
    }

    /// Makes sure that content which is here stays, for somebody who is going to record a reference without putting it:
    /// writes again what a collection may remove of it. `false` if the content, or a file of a tree, is not here whole.
    ///
    /// It counts for the batch like what was put, up to its commit; hold a [`Lease`](crate::Lease) until the reference is
    /// recorded.
    pub fn keep(&mut self, digest: &Digest) -> Result<bool> {
        addition::keep(&mut self.addition, digest)
    }

    /// Makes all that was put count and survive.
    pub fn commit(self) -> Result<()> {
        self.addition.commit()
    }
}

impl TreeNodes for Batch {
    fn put_node(&mut self, bytes: &[u8]) -> Result<Digest> {
        self.addition.put_node(bytes)
    }
}

impl Tree {
    /// Describes a folder and adds its files to the batch.
    pub fn from_directory(batch: &mut Batch, directory: &Path) -> Result<Self> {
        Self::from_directory_with_progress(batch, directory, &mut |_, _| {})
    }

    /// The same, calling `progress` with each path and the bytes of it read so far.
    pub fn from_directory_with_progress(
        batch: &mut Batch,
        directory: &Path,
        progress: &mut dyn FnMut(&TreePath, u64),
    ) -> Result<Self> {
        folder::put_tree_of_folder(&mut batch.addition, directory, progress)
    }
}
