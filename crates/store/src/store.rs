//! The face of the crate: all that a store can be asked, each answered by the room that knows how.

use std::{fmt, fs, io::Read, path::Path, time::SystemTime};

use stemma_core::{ContentId, Digest};

use crate::{
    addition::HeldContent,
    batch::Batch,
    blob::BlobReader,
    check::{self, RepairReport, SampleReport, Source, VerifyReport},
    damage::Damage,
    error::{IoContext as _, Result},
    exchange::{self, Record, RecordId},
    folder,
    fs::FileStamp,
    gc::{self, ContentSize, GcOptions, GcProgress, GcReport, PurgeReport, Roots},
    holdings::{BlobInfo, Holdings, Usage},
    marks::Lease,
    pack::Kind,
    tree::{self, Tree, TreeChild, TreeDiff, TreeEntries, TreeSummary},
};

/// A folder of content. Clones are cheap and share what they know of it.
#[derive(Clone)]
pub struct Store {
    holdings: Holdings,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("root", &self.root()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in a folder and makes the folder (mode 0700) if there is none.
    pub fn open(root: &Path) -> Result<Self> {
        Ok(Self { holdings: Holdings::open(root)? })
    }

    /// Opens the store in a folder that must be there, and makes nothing.
    pub fn open_to_look(root: &Path) -> Result<Self> {
        let packs = root.join("packs");
        fs::metadata(&packs).at(&packs)?;
        Self::open(root)
    }

    pub fn root(&self) -> &Path {
        self.holdings.root()
    }

    #[cfg(test)]
    pub(crate) fn holdings(&self) -> &Holdings {
        &self.holdings
    }
}

/// Adding.
impl Store {
    /// Starts to add content. Nothing of it counts before [`Batch::commit`].
    pub fn batch(&self) -> Batch {
        Batch::new(self.holdings.clone(), HeldContent::Trust)
    }

    /// Starts a batch that reads back the chunks it would otherwise skip, so that adding content again replaces what
    /// was damaged of it.
    pub fn repairing_batch(&self) -> Batch {
        Batch::new(self.holdings.clone(), HeldContent::ReadBack)
    }

    /// Protects from collections what its holder adds or finds present from now on, as long as it is held.
    pub fn lease(&self) -> Result<Lease> {
        self.holdings.lease()
    }

    pub fn put_bytes(&self, bytes: &[u8]) -> Result<BlobInfo> {
        self.put_reader(bytes)
    }

    pub fn put_file(&self, path: &Path) -> Result<BlobInfo> {
        let mut batch = self.batch();
        let info = batch.put_file(path, &mut |_| {})?;
        batch.commit()?;
        Ok(info)
    }

    pub fn put_reader(&self, reader: impl Read) -> Result<BlobInfo> {
        let mut batch = self.batch();
        let info = batch.put_reader(reader)?;
        batch.commit()?;
        Ok(info)
    }

    pub fn put_tree(&self, tree: &Tree) -> Result<Digest> {
        let mut batch = self.batch();
        let digest = batch.put_tree(tree)?;
        batch.commit()?;
        Ok(digest)
    }
}

/// Looking up and reading.
impl Store {
    /// What is known of a blob, without reading it; `None` if the store has no such blob. Fails if it had one that rotted.
    pub fn info(&self, digest: &Digest) -> Result<Option<BlobInfo>> {
        self.holdings.info(digest)
    }

    /// Whether a blob or tree of this name is here. An unreadable folder counts as an empty one.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.holdings.contains(digest)
    }

    /// The names among `digests` under which there is neither a blob nor a tree, in the order given.
    pub fn missing(&self, digests: &[Digest]) -> Vec<Digest> {
        self.holdings.missing(digests)
    }

    /// The names of all blobs and trees that are here, in order.
    pub fn contents(&self) -> Result<Vec<Digest>> {
        self.holdings.contents()
    }

    /// The digest of content that a person named in either way; `None` if it is not here. Trees have no SHA-256 name.
    pub fn resolve(&self, id: &ContentId) -> Result<Option<Digest>> {
        self.holdings.resolve(id)
    }

    /// Counts what is here. Other processes' open packs are counted up to their last commit.
    pub fn usage(&self) -> Result<Usage> {
        self.holdings.usage()
    }

    /// Returns a whole blob of at most `limit` bytes, verified.
    pub fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        self.open_blob(digest)?.into_vec(limit)
    }

    /// Opens a blob for reading anywhere in it.
    pub fn open_blob(&self, digest: &Digest) -> Result<BlobReader> {
        BlobReader::open(self.holdings.clone(), Kind::Blob, digest)
    }
}

/// Trees.
impl Store {
    /// Returns a tree of at most a million entries; `None` if the store has none of this name.
    pub fn tree(&self, digest: &Digest) -> Result<Option<Tree>> {
        tree::read_tree(&self.holdings, digest)
    }

    /// Reads the entries of a tree in order, with a few nodes in memory; `None` if the store has none of this name.
    pub fn tree_entries(&self, digest: &Digest) -> Result<Option<TreeEntries>> {
        tree::tree_entries(&self.holdings, digest)
    }

    /// What a tree holds in all, by its topmost node alone; `None` if the store has none of this name.
    pub fn tree_summary(&self, digest: &Digest) -> Result<Option<TreeSummary>> {
        tree::tree_summary(&self.holdings, digest)
    }

    /// What one node of a tree refers to: nodes or files, in order. A tree is walked to its files by asking again for each node.
    pub fn tree_children(&self, digest: &Digest) -> Result<Vec<TreeChild>> {
        tree::tree_children(&self.holdings, digest)
    }

    /// What a node of a tree that comes from elsewhere refers to; refuses what is no node, or not the one that was
    /// announced. Nothing is stored.
    pub fn check_tree_node(&self, announced: &Digest, bytes: Vec<u8>) -> Result<Vec<TreeChild>> {
        tree::check_tree_node(&self.holdings, announced, bytes)
    }

    /// The bytes of one node of a tree, verified.
    pub fn tree_node(&self, digest: &Digest) -> Result<Vec<u8>> {
        tree::tree_node(&self.holdings, digest)
    }

    /// Reads the differences of two trees in order. Equal nodes are skipped unread.
    pub fn diff_trees(&self, before: &Digest, after: &Digest) -> Result<TreeDiff> {
        tree::diff_trees(&self.holdings, before, after)
    }

    /// What a tree has that another one lacks: the nodes that had to be opened to find out, and files. Some of it may be
    /// elsewhere in the other one after all.
    pub fn tree_news(&self, before: &Digest, after: &Digest) -> Result<Vec<TreeChild>> {
        tree::tree_news(&self.holdings, before, after)
    }
}

/// Files and folders written out.
impl Store {
    /// Writes a blob to a file, verified; the parent folder must exist. The file appears whole or not at all.
    pub fn materialize(&self, digest: &Digest, dest: &Path) -> Result<()> {
        folder::write_blob(&self.holdings, digest, dest)
    }

    /// Writes a tree into a folder, which is made if its parent exists. What is there at the tree's paths is replaced,
    /// other things stay; each file appears whole or not at all. Never writes outside of the folder: a link found
    /// where the tree has a directory is an error.
    pub fn materialize_tree(&self, digest: &Digest, dest: &Path) -> Result<()> {
        folder::write_tree(&self.holdings, digest, dest)
    }

    /// Fails if a tree or anything in it is not here: rather nothing than half a folder.
    pub fn require_tree(&self, digest: &Digest) -> Result<()> {
        folder::require_tree(&self.holdings, digest)
    }

    /// Refuses a tree with names that the folder's file system takes for one and the same.
    pub fn check_folding(&self, digest: &Digest, folder: &Path) -> Result<()> {
        folder::check_folding(&self.holdings, digest, folder)
    }

    /// Writes entries of a tree, in order, into a folder that exists. `written` gets each one, a file with what it looks
    /// like now.
    pub fn write_entries(
        &self,
        folder: &Path,
        entries: &mut dyn Iterator<Item = Result<folder::Entry>>,
        written: &mut dyn FnMut(&folder::Entry, Option<FileStamp>) -> Result<()>,
    ) -> Result<()> {
        folder::write_entries(&self.holdings, folder, entries, written)
    }
}

/// Records on their way to other stores.
impl Store {
    /// Takes a record out after checking that it is what its name says; damage does not travel.
    pub fn export(&self, id: &RecordId) -> Result<Option<Record>> {
        exchange::export(&self.holdings, id)
    }

    /// Bytes that a record takes up in a pack; `None` if it is not here.
    pub fn record_len(&self, id: &RecordId) -> Option<u64> {
        Some(self.holdings.index().stored_len(id.kind.inner(), &id.digest)).filter(|len| *len > 0)
    }

    /// Whether there is a record of this name.
    pub fn has_record(&self, id: &RecordId) -> bool {
        self.holdings.index().has(id.kind.inner(), &id.digest)
    }

    /// The recipes under this name, of a blob, a tree, or both.
    pub fn recipes(&self, digest: &Digest) -> Vec<RecordId> {
        exchange::recipes(&self.holdings, digest)
    }

    /// The recipes of everything that a tree names: files, or, in a big tree, trees that name more.
    pub fn members(&self, tree: &Digest) -> Result<Vec<RecordId>> {
        exchange::members(&self.holdings, tree)
    }

    /// The same of a tree whose chunks are here and whose recipe need not be.
    pub fn members_by(&self, recipe: &Record) -> Result<Vec<RecordId>> {
        exchange::members_by(&self.holdings, recipe)
    }
}

/// Whether all is well.
impl Store {
    /// Checks every record of every pack, then reads every blob and tree and checks its digest.
    ///
    /// `progress` gets the bytes read so far, and how many there are in all. Damage is reported, not returned as an
    /// error; an error means that the store could not be read.
    pub fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport> {
        check::verify(&self.holdings, progress)
    }

    /// Checks some records, others for another seed, until so many bytes are read.
    ///
    /// Packs are read from a place in them on that the seed chooses, as are the packs themselves; what is damaged is
    /// said of the pack, and of each content that needs the damaged part and can't be read for it.
    pub fn verify_sample(&self, seed: u64, budget_bytes: u64) -> Result<SampleReport> {
        check::verify_sample(&self.holdings, seed, budget_bytes)
    }

    /// Puts back each content that is said to be damaged, from the plain bytes that `source` has of it, and reads it
    /// back. Then replaces the packs that hold something damaged, if nothing in them is lost.
    pub fn repair(&self, damaged: &[Damage], source: &mut Source<'_>) -> Result<RepairReport> {
        check::repair(&self.holdings, damaged, source)
    }
}

/// Removing what nobody needs.
impl Store {
    /// Says what [`gc`](Self::gc) would do, and changes nothing.
    ///
    /// `roots` may be older than what other processes have recorded since: a plan promises nothing.
    pub fn gc_plan(&self, roots: &[Digest], options: &GcOptions) -> Result<GcReport> {
        gc::plan(&self.holdings, roots, options)
    }

    /// Removes what hangs on none of the roots and has not for the grace period; marks what is garbage since.
    ///
    /// Nothing is removed if anything that hangs on the roots can't be read
    /// ([`StoreError::Needed`](crate::StoreError::Needed)).
    pub fn gc(
        &self,
        roots: &mut Roots<'_>,
        options: &GcOptions,
        progress: &mut dyn FnMut(GcProgress),
    ) -> Result<GcReport> {
        gc::collect(&self.holdings, roots, options, progress)
    }

    /// Removes blobs, and trees with their files, at once, even if a root names them or a tree that stays does.
    /// Parts that other needed contents have too stay.
    ///
    /// Fails with [`StoreError::InUse`](crate::StoreError::InUse) while somebody who adds content may rely on a part of
    /// them; what is to go is marked by then, so that nobody else will, and purging again once they are done succeeds.
    /// Who adds the same content again meanwhile or later has it.
    pub fn purge(
        &self,
        contents: &[Digest],
        roots: &mut Roots<'_>,
        now: SystemTime,
        progress: &mut dyn FnMut(GcProgress),
    ) -> Result<PurgeReport> {
        gc::purge(&self.holdings, contents, roots, now, progress)
    }

    /// Says for each content what it takes up, and what of it none of the others in the list takes.
    ///
    /// The list is in the order given; contents that are not here are in it with nothing but zeros.
    pub fn stored_sizes(&self, contents: &[Digest]) -> Result<Vec<ContentSize>> {
        gc::stored_sizes(&self.holdings, contents)
    }
}
