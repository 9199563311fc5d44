//! Adding content: any number of blobs and trees for the price of two or three syncs.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read, Seek as _, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
};

use stemma_core::{Digest, Sha256};
use stemma_format::Outline;

use crate::{
    addition::ingest::{self, Guide},
    blob::{read_back, read_chunk},
    codec::{self, Hint},
    error::{IoContext as _, Result, StoreError},
    exchange::{RecordId, RecordKind},
    fs::FileStamp,
    index::Reliance,
    marks::Lease,
    pack::{CODEC_INLINE, CODEC_RAW, Header, Kind},
    pack::{INLINE_MAX, Layout, Recipe},
    pack::{PACK_MAX, PackId, PackWriter},
    store::{BlobInfo, Store},
    tree::Tree,
    tree::TreeNodes,
};

/// Content on its way into the store.
///
/// What was put counts once [`commit`](Self::commit) has returned; then it survives a crash and a power loss. A
/// batch that is dropped leaves nothing that counts. (Content of long batches may become visible earlier; it is whole
/// then.)
#[must_use = "nothing that was put is kept unless the batch is committed"]
pub struct Batch {
    store: Store,
    /// Taken before the first look at what is stored; kept to the end.
    lease: Option<Lease>,
    writer: Option<Box<PackWriter>>,
    /// Records of the open group.
    pending: HashSet<(Kind, Digest)>,
    /// Open packs of other writers that hold something we did not write again.
    unsynced: HashSet<PackId>,
    held_content: HeldContent,
    failed: bool,
}

/// What a batch does about content that is stored already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeldContent {
    Trust,
    ReadBack,
}

impl Batch {
    pub(crate) fn new(store: Store, held_content: HeldContent) -> Self {
        Self {
            store,
            held_content,
            lease: None,
            writer: None,
            pending: HashSet::new(),
            unsynced: HashSet::new(),
            failed: false,
        }
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
        // without O_NONBLOCK the mere opening of a named pipe would wait for its writer
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(path).at(path)?;
        self.put_open_file(file, path, like, progress)
    }

    pub(crate) fn put_open_file(
        &mut self,
        mut file: File,
        path: &Path,
        like: Option<Digest>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<BlobInfo> {
        let before = FileStamp::of_open(&file, path)?;
        let outline = outline(&file, before.size, path)?;
        let guide = Guide { outline, like };
        let info = ingest::ingest(self, Kind::Blob, &mut file, guide, progress).map_err(|error| match error {
            StoreError::Source(source) => StoreError::io(path, source),
            other => other,
        })?;
        if FileStamp::of_open(&file, path)? != before || info.size != before.size {
            return Err(StoreError::Changed(path.to_owned()));
        }
        Ok(info)
    }

    pub fn put_reader(&mut self, mut reader: impl Read) -> Result<BlobInfo> {
        let beginning = ingest::read_block(&mut reader)?;
        if beginning.len() < ingest::BLOCK {
            let outline = stemma_format::outline(&beginning).map_err(StoreError::Source)?;
            let guide = Guide { outline, like: None };
            return ingest::ingest(self, Kind::Blob, &mut beginning.as_slice(), guide, &mut |_| {});
        }
        if stemma_format::may_have_outline(&beginning) {
            return self.put_spooled(&beginning, &mut reader);
        }
        let mut all = beginning.as_slice().chain(reader);
        ingest::ingest(self, Kind::Blob, &mut all, Guide::default(), &mut |_| {})
    }

    /// Content that is cut by headers which may lie at its end comes by way of a file without a name.
    fn put_spooled(&mut self, beginning: &[u8], reader: &mut dyn Read) -> Result<BlobInfo> {
        let dir = &self.store.root().to_owned();
        let mut file = tempfile::tempfile_in(dir).at(dir)?;
        file.write_all(beginning).at(dir)?;
        copy(reader, &mut file, dir)?;
        file.rewind().at(dir)?;
        self.put_open_file(file, dir, None, &mut |_| {})
    }

    /// Adds a tree, but not the blobs it names.
    pub fn put_tree(&mut self, tree: &Tree) -> Result<Digest> {
        tree.put_nodes(self)
    }

    /// Makes all that was put count and survive.
    pub fn commit(mut self) -> Result<()> {
        if self.failed {
            return Err(StoreError::BatchFailed);
        }
        self.commit_group()
    }

    fn commit_group(&mut self) -> Result<()> {
        for id in std::mem::take(&mut self.unsynced) {
            self.store.index().sync_pack(id)?;
        }
        if let Some(mut writer) = self.writer.take()
            && writer.has_uncommitted()
        {
            self.store.index().commit(&mut writer)?;
        }
        self.pending.clear();
        Ok(())
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Whether stored content counts as stored without being read.
    pub(crate) fn trusts_held_content(&self) -> bool {
        self.held_content == HeldContent::Trust
    }

    /// Comes before all other steps of adding something.
    pub(crate) fn check_usable(&mut self) -> Result<()> {
        if self.failed {
            return Err(StoreError::BatchFailed);
        }
        self.leased().map(drop)
    }

    fn leased(&mut self) -> Result<&Lease> {
        if self.lease.is_none() {
            self.lease = Some(self.store.lease()?);
        }
        Ok(self.lease.as_ref().expect("it was set above"))
    }

    /// Whether a record need not be written: it is stored where no collection removes it, or in this batch.
    pub(crate) fn holds(&mut self, kind: Kind, digest: &Digest) -> bool {
        if self.pending.contains(&(kind, *digest)) {
            return true;
        }
        if self.held_content == HeldContent::ReadBack {
            // what turns out damaged is marked so, and then not held any more
            let _ = read_back(&self.store, kind, digest);
        }
        // without a lease nothing that is stored can be relied on
        let Ok(marks) = self.leased().map(|lease| Arc::clone(lease.marks())) else {
            return false;
        };
        let mut reliance = Reliance { marks: &marks, pending: &self.pending, unsynced: &mut self.unsynced };
        self.store.index().holds((kind, *digest), &mut reliance)
    }

    /// Whether short content that is only in memory so far is to be kept in its recipe: not if it has a chunk already,
    /// which may be damaged and waiting to be written again.
    pub(crate) fn may_be_inline(&self, kind: Kind, digest: &Digest, len: usize) -> bool {
        let held = self.store.index().content(kind, digest);
        (1..=INLINE_MAX).contains(&len) && held.is_none_or(|held| held.is_inline())
    }

    /// Whether the recipe of short content need not be written, and what it names neither.
    pub(crate) fn holds_short(&mut self, kind: Kind, digest: &Digest) -> bool {
        let held = self.store.index().content(kind, digest);
        let is_inline = held.is_some_and(|held| held.is_inline());
        self.holds(kind, digest) && (is_inline || self.holds(Kind::Chunk, digest))
    }

    /// The same for a record together with all that it takes to read it, by recipes: what is marked of that may go
    /// although the recipe stays.
    pub(crate) fn holds_all(&mut self, kind: Kind, digest: &Digest) -> bool {
        if !self.holds(kind, digest) {
            return false;
        }
        let has_no_marks = self.leased().is_ok_and(|lease| lease.marks().packs.is_empty());
        if has_no_marks || kind == Kind::Chunk {
            return true;
        }
        let id = |kind| RecordId::new(kind, *digest);
        let record = match kind {
            Kind::Page => self.store.export(&id(RecordKind::Page)),
            Kind::Blob => self.store.export(&id(RecordKind::Blob)),
            _ => self.store.export(&id(RecordKind::Tree)),
        };
        let Ok(Some(record)) = record else {
            // on its way in this batch, where its parts were checked before it
            return self.pending.contains(&(kind, *digest));
        };
        record.needs().iter().all(|part| self.has(part))
    }

    /// Makes sure that content which is here stays, for somebody who is going to record a reference without putting it:
    /// writes again what a collection may remove of it. `false` if the content, or a file of a tree, is not here whole.
    ///
    /// It counts for the batch like what was put, up to its commit; hold a [`Lease`] until the reference is recorded.
    pub fn keep(&mut self, digest: &Digest) -> Result<bool> {
        self.check_usable()?;
        let mut recipes = self.store.recipes(digest);
        if recipes.is_empty() {
            self.store.index().refresh()?;
            recipes = self.store.recipes(digest);
        }
        let mut is_here = !recipes.is_empty();
        while let Some(recipe) = recipes.pop() {
            is_here &= self.keep_record(&recipe)?;
            if recipe.kind == RecordKind::Tree {
                recipes.extend(self.store.members(&recipe.digest)?);
            }
        }
        Ok(is_here)
    }

    pub(crate) fn keep_record(&mut self, id: &RecordId) -> Result<bool> {
        if self.has(id) {
            return Ok(true);
        }
        // what was kept a moment ago may by now be nowhere but in this batch, so nothing is read back or depended on
        let record = match id.kind {
            RecordKind::Chunk => return self.keep_chunk(&id.digest),
            _ => self.store.export(id)?,
        };
        let Some(record) = record else {
            return Ok(false);
        };
        for part in record.needs() {
            // what is left of content that is being collected
            if !self.keep_record(part)? {
                return Ok(false);
            }
        }
        self.import_unread(&record)?;
        Ok(true)
    }

    fn keep_chunk(&mut self, digest: &Digest) -> Result<bool> {
        let plain = match read_chunk(&self.store, digest) {
            Ok(Some(plain)) => plain,
            Ok(None) | Err(StoreError::Corrupt { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let encoded = codec::encode(&plain, &Hint::default(), None);
        let len = plain.len() as u64;
        let (codec, payload) = encoded.map_or((CODEC_RAW, plain), |encoded| (encoded.codec, encoded.payload));
        self.append(Kind::Chunk, *digest, codec, len, &payload)?;
        Ok(true)
    }

    pub(crate) fn append(&mut self, kind: Kind, digest: Digest, codec: u8, plain: u64, payload: &[u8]) -> Result<()> {
        let header = Header::for_payload(kind, codec, digest, plain, payload);
        self.append_record(&header, payload, None)
    }

    /// Writes a recipe unless the very same one is stored. Another one for the same content may list chunks that
    /// were lost, whereas those of this one were checked one by one.
    pub(crate) fn append_recipe(&mut self, kind: Kind, digest: Digest, recipe: &Recipe) -> Result<()> {
        let payload = recipe.encode(digest);
        if self.pending.contains(&(kind, digest)) {
            return Ok(());
        }
        if self.holds(kind, &digest) {
            let is_it = self.store.index().fetch(kind, &digest, |_, stored| Ok(stored == payload));
            if is_it.is_ok_and(|is_it| is_it == Some(true)) {
                return Ok(());
            }
        }
        let codec = if matches!(recipe.layout, Layout::Inline { .. }) { CODEC_INLINE } else { CODEC_RAW };
        let header = Header::for_payload(kind, codec, digest, payload.len() as u64, &payload);
        self.append_record(&header, &payload, Some((recipe.size, recipe.sha256)))
    }

    pub(crate) fn append_record(
        &mut self,
        header: &Header,
        payload: &[u8],
        content: Option<(u64, Sha256)>,
    ) -> Result<()> {
        let appended = self.try_append(header, payload, content);
        self.failed |= appended.is_err();
        appended
    }

    fn try_append(&mut self, header: &Header, payload: &[u8], content: Option<(u64, Sha256)>) -> Result<()> {
        if self.writer.is_none() {
            self.writer = Some(self.store.index().writer()?);
        }
        let writer = self.writer.as_mut().expect("it was set above");
        writer.append(header, payload, content)?;
        self.pending.insert((header.kind, header.digest));
        if writer.len() >= PACK_MAX {
            self.commit_group()?;
        }
        Ok(())
    }
}

impl TreeNodes for Batch {
    fn put_node(&mut self, mut bytes: &[u8]) -> Result<Digest> {
        let info = ingest::ingest(self, Kind::Tree, &mut bytes, Guide::default(), &mut |_| {})?;
        Ok(info.digest)
    }
}

/// Tells failures of the source from those of the disk.
fn copy(source: &mut dyn Read, file: &mut File, path: &Path) -> Result<()> {
    loop {
        let block = ingest::read_block(source)?;
        file.write_all(&block).at(path)?;
        if block.len() < ingest::BLOCK {
            return Ok(());
        }
    }
}

fn outline(file: &File, len: u64, path: &Path) -> Result<Option<Outline>> {
    stemma_format::outline(&OpenFile { file, len }).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => StoreError::Changed(path.to_owned()),
        _ => StoreError::io(path, error),
    })
}

/// A file of a known length, whose headers are looked at.
struct OpenFile<'a> {
    file: &'a File,
    len: u64,
}

impl stemma_format::ReadAt for OpenFile<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}
