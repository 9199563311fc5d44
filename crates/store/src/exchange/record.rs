//! Records on their way between stores: taken out, carried in packs that stand alone, and taken in after a check.
//!
//! Whoever carries records knows their names and lengths, not what is in them. A record is of use only together with
//! what it [`needs`](Record::needs); carriers write what is needed before what needs it, so a record that is there
//! proves that the rest is there too.

use std::collections::HashMap;

use bytes::Bytes;
use sha2::Digest as _;
use stemma_core::{Digest, Sha256};

use crate::{
    batch::Batch,
    blob::{BlobReader, READ_DEPTH_MAX, check_record, decode_chunk, decode_with_base, recipe_fault, too_deep},
    codec::{self, Base, DEPTH_MAX, Dependency, Hint},
    error::{Result, StoreError},
    index,
    pack::index_file::{self, PackIndex},
    pack::{CODEC_RAW, HEADER_LEN, Header, HeaderFault, Kind, PAYLOAD_MAX},
    pack::{Found, Group, PACK_HEADER_LEN, PackId, encode_pack_header},
    pack::{Layout, Piece, Recipe, RecipeFault, decode_page},
    store::Store,
    tree::LEAF_BYTES_MAX,
    tree::TreeChild,
};

/// What a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordKind {
    /// A piece of content.
    Chunk,
    /// A part of a long recipe.
    Page,
    /// How a blob is put together.
    Blob,
    /// How a tree's own bytes are put together.
    Tree,
}

impl RecordKind {
    pub(crate) fn inner(self) -> Kind {
        match self {
            Self::Chunk => Kind::Chunk,
            Self::Page => Kind::Page,
            Self::Blob => Kind::Blob,
            Self::Tree => Kind::Tree,
        }
    }

    fn from_inner(kind: Kind) -> Option<Self> {
        [Self::Chunk, Self::Page, Self::Blob, Self::Tree].into_iter().find(|known| known.inner() == kind)
    }
}

/// Names a record, wherever it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId {
    pub kind: RecordKind,
    pub digest: Digest,
}

impl RecordId {
    pub const fn new(kind: RecordKind, digest: Digest) -> Self {
        Self { kind, digest }
    }
}

/// A record as it is stored: its bytes are those that its header announced, nothing more is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    header: Header,
    payload: Bytes,
    needs: Vec<RecordId>,
    /// Size and SHA-256 of the content of a recipe.
    content: Option<(u64, Sha256)>,
}

/// Why bytes from elsewhere are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    #[error("{0}")]
    Damaged(&'static str),
    #[error("it has a kind or version that this program does not know ({0})")]
    Unknown(u8),
}

impl Record {
    /// Reads a record that was found at `offset` of a pack. Its name is only claimed until it is imported.
    pub fn parse(pack: PackId, offset: u64, bytes: &Bytes) -> std::result::Result<Self, RecordFault> {
        let (head, payload) = bytes.split_at_checked(HEADER_LEN).ok_or(RecordFault::Damaged("it is cut short"))?;
        let header = Header::parse(head, pack, offset).map_err(|fault| match fault {
            HeaderFault::NotARecord => RecordFault::Damaged("its record header is damaged"),
            HeaderFault::Unknown(version) => RecordFault::Unknown(version),
        })?;
        if !header.payload_is_whole(payload) {
            return Err(RecordFault::Damaged("its stored bytes do not match their check"));
        }
        Self::new(header, bytes.slice(HEADER_LEN..))
    }

    fn new(header: Header, payload: Bytes) -> std::result::Result<Self, RecordFault> {
        let fault = |fault| match fault {
            RecipeFault::Damaged(what) => RecordFault::Damaged(what),
            RecipeFault::Unknown(version) => RecordFault::Unknown(version),
        };
        let mut record = Self { header, payload, needs: Vec::new(), content: None };
        match header.kind {
            Kind::Blob | Kind::Tree => {
                let recipe = Recipe::decode(header.digest, &record.payload).map_err(fault)?;
                record.content = Some((recipe.size, recipe.sha256));
                record.needs = parts(&header.digest, &recipe.layout);
            }
            Kind::Page => {
                let pieces = decode_page(&record.payload, 0).map_err(fault)?;
                record.needs = pieces.iter().map(|piece| RecordId::new(RecordKind::Chunk, piece.digest)).collect();
            }
            Kind::Chunk if codec::is_delta(header.codec) => {
                let dependency = Dependency::of(header.codec, &record.payload);
                let dependency = dependency.ok_or(RecordFault::Damaged("it does not say what it depends on"))?;
                record.needs = vec![RecordId::new(RecordKind::Chunk, dependency.base)];
            }
            Kind::Chunk => {}
            Kind::Commit => return Err(RecordFault::Damaged("it is the end of a group")),
        }
        Ok(record)
    }

    pub fn id(&self) -> RecordId {
        let kind = RecordKind::from_inner(self.header.kind).expect("`new` refuses commit records");
        RecordId::new(kind, self.header.digest)
    }

    /// Bytes that it takes up in a pack.
    pub fn len(&self) -> u64 {
        self.header.record_len()
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// The records without which this one is of no use, each perhaps more than once.
    pub fn needs(&self) -> &[RecordId] {
        &self.needs
    }

    /// How long the content of a recipe is.
    pub fn content_size(&self) -> Option<u64> {
        self.content.map(|(size, _)| size)
    }

    pub(crate) fn content_sha256(&self) -> Option<Sha256> {
        self.content.map(|(_, sha256)| sha256)
    }

    /// The chunk that a chunk is a difference to.
    pub(crate) fn base(&self) -> Option<Digest> {
        Dependency::of(self.header.codec, &self.payload).map(|dependency| dependency.base)
    }
}

fn parts(digest: &Digest, layout: &Layout) -> Vec<RecordId> {
    let named =
        |kind, pieces: &[Piece]| pieces.iter().map(|piece| RecordId::new(kind, piece.digest)).collect::<Vec<_>>();
    match layout {
        Layout::Inline { .. } => Vec::new(),
        Layout::Whole => vec![RecordId::new(RecordKind::Chunk, *digest)],
        Layout::Chunks(chunks) => named(RecordKind::Chunk, chunks),
        Layout::Pages(pages) => named(RecordKind::Page, pages),
    }
}

// ---- out ---------------------------------------------------------------------------------------------------------

impl Store {
    /// Takes a record out after checking that it is what its name says; damage does not travel.
    pub fn export(&self, id: &RecordId) -> Result<Option<Record>> {
        self.index().fetch(id.kind.inner(), &id.digest, |header, payload| {
            check_record(self, header, payload)?;
            Record::new(*header, Bytes::copy_from_slice(payload)).map_err(|fault| match fault {
                RecordFault::Damaged(what) => index::RecordFault::Damaged(what.to_owned()),
                RecordFault::Unknown(version) => recipe_fault(self, RecipeFault::Unknown(version)),
            })
        })
    }

    /// Bytes that a record takes up in a pack; `None` if it is not here.
    pub fn record_len(&self, id: &RecordId) -> Option<u64> {
        Some(self.index().stored_len(id.kind.inner(), &id.digest)).filter(|len| *len > 0)
    }

    /// Whether there is a record of this name.
    pub fn has_record(&self, id: &RecordId) -> bool {
        self.index().has(id.kind.inner(), &id.digest)
    }

    /// The recipes under this name, of a blob, a tree, or both.
    pub fn recipes(&self, digest: &Digest) -> Vec<RecordId> {
        let ids = [RecordKind::Blob, RecordKind::Tree].map(|kind| RecordId::new(kind, *digest));
        ids.into_iter().filter(|id| self.has_record(id)).collect()
    }

    /// The recipes of everything that a tree names: files, or, in a big tree, trees that name more.
    pub fn members(&self, tree: &Digest) -> Result<Vec<RecordId>> {
        Ok(self.tree_children(tree)?.iter().map(member).collect())
    }

    /// The same of a tree whose chunks are here and whose recipe need not be.
    pub fn members_by(&self, recipe: &Record) -> Result<Vec<RecordId>> {
        let digest = recipe.header.digest;
        let decoded = Recipe::decode(digest, &recipe.payload);
        let decoded = decoded.map_err(|_| StoreError::corrupt(digest, "its recipe is damaged"))?;
        let bytes = reader_by(self, &digest, decoded)?.into_vec(LEAF_BYTES_MAX)?;
        Ok(self.children_in(&digest, bytes)?.iter().map(member).collect())
    }
}

fn member(child: &TreeChild) -> RecordId {
    match child {
        TreeChild::Node(digest) => RecordId::new(RecordKind::Tree, *digest),
        TreeChild::File { digest, .. } => RecordId::new(RecordKind::Blob, *digest),
    }
}

/// A pack that belongs to no folder: one group of records, made to be sent away piece by piece.
pub struct PackBuilder {
    id: PackId,
    /// Bytes that were not yet taken.
    bytes: Vec<u8>,
    end: u64,
    group: Group,
    records: Vec<Found>,
}

/// The last bytes of a pack, and the index that goes with it.
#[derive(Debug)]
pub struct FinishedPack {
    pub rest: Vec<u8>,
    pub index: Vec<u8>,
    /// Length of the whole pack.
    pub len: u64,
}

impl Default for PackBuilder {
    fn default() -> Self {
        let id = PackId::generate();
        let end = PACK_HEADER_LEN as u64;
        Self { id, bytes: encode_pack_header(id).to_vec(), end, group: Group::starting_at(end), records: Vec::new() }
    }
}

impl PackBuilder {
    pub fn id(&self) -> PackId {
        self.id
    }

    /// Length of the pack so far.
    pub fn len(&self) -> u64 {
        self.end
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes that can be taken.
    pub fn ready(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a record as it is, under a header for its new place.
    pub fn add(&mut self, record: &Record) {
        let Header { kind, codec, digest, stored, .. } = record.header;
        self.records.push(Found { kind, codec, digest, offset: self.end, stored, content: record.content });
        let header = record.header.encode(self.id, self.end);
        self.group.add(&header);
        self.append(&header, &record.payload);
    }

    fn append(&mut self, header: &[u8], payload: &[u8]) {
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(payload);
        self.end += (header.len() + payload.len()) as u64;
    }

    /// Takes the next bytes of the pack, at most `len`.
    pub fn take(&mut self, len: usize) -> Vec<u8> {
        let rest = self.bytes.split_off(len.min(self.bytes.len()));
        std::mem::replace(&mut self.bytes, rest)
    }

    /// Ends the group and the pack.
    pub fn finish(mut self) -> FinishedPack {
        let (header, payload) = self.group.commit_record();
        for _ in 0..2 {
            let header = header.encode(self.id, self.end);
            self.append(&header, &payload);
        }
        let mut index = PackIndex { records: self.records, committed_end: self.end };
        FinishedPack { rest: self.bytes, index: index.encode(self.id), len: self.end }
    }
}

// ---- in ----------------------------------------------------------------------------------------------------------

/// Where a record lies in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace {
    pub id: RecordId,
    pub offset: u64,
    /// Header and payload.
    pub len: u64,
}

/// What an index says of its pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackContents {
    pub records: Vec<RecordPlace>,
    /// Length of the pack.
    pub len: u64,
}

/// Why bytes are no index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IndexFault {
    #[error("it is damaged")]
    Damaged,
    #[error("it has version {0}, which this program does not know")]
    Version(u16),
}

impl PackContents {
    /// Reads the bytes of an index file; refuses one that names a place outside of its pack.
    pub fn parse(pack: PackId, bytes: &[u8]) -> std::result::Result<Self, IndexFault> {
        let index = index_file::decode(pack, bytes).map_err(|fault| match fault {
            index_file::Fault::Damaged => IndexFault::Damaged,
            index_file::Fault::Version(version) => IndexFault::Version(version),
        })?;
        let place = |found: &Found| {
            let kind = RecordKind::from_inner(found.kind)?;
            let len = HEADER_LEN as u64 + u64::from(found.stored);
            let lies_within = found.offset >= PACK_HEADER_LEN as u64
                && u64::from(found.stored) <= PAYLOAD_MAX
                && found.offset.checked_add(len)? <= index.committed_end;
            lies_within.then(|| RecordPlace { id: RecordId::new(kind, found.digest), offset: found.offset, len })
        };
        let records = index.records.iter().map(place).collect::<Option<Vec<_>>>().ok_or(IndexFault::Damaged)?;
        Ok(Self { records, len: index.committed_end })
    }
}

impl Batch {
    /// Whether a record need not be brought: it is here to stay, or in this batch.
    pub fn has(&mut self, id: &RecordId) -> bool {
        self.holds_all(id.kind.inner(), &id.digest)
    }

    /// Takes a record in if it is what its name says, and does nothing if it is here already.
    ///
    /// What it needs must be here and committed. The content of a recipe is read once by it, and both its digests must
    /// be right, before the recipe is believed. ([`take_in`](crate::take_in) does not read it once more for that.)
    pub fn import(&mut self, record: &Record) -> Result<()> {
        self.check_usable()?;
        if self.holds_all(record.header.kind, &record.header.digest) {
            return Ok(());
        }
        let plain = check(self.store(), record, None)?;
        self.append_checked(record, plain.as_ref())
    }

    /// The same for a record that was found right; `plain` is what a chunk holds.
    pub(crate) fn import_checked(&mut self, record: &Record, plain: Option<&Base>) -> Result<()> {
        self.check_usable()?;
        match self.holds_all(record.header.kind, &record.header.digest) {
            true => Ok(()),
            false => self.append_checked(record, plain),
        }
    }

    /// The same for a record that was just taken out of this store.
    pub(crate) fn import_unread(&mut self, record: &Record) -> Result<()> {
        self.append_record(&record.header, &record.payload, record.content)
    }

    fn append_checked(&mut self, record: &Record, plain: Option<&Base>) -> Result<()> {
        let Header { kind, codec, digest, plain: len, .. } = record.header;
        let dependency = Dependency::of(codec, &record.payload);
        let Some((plain, Dependency { depth, base })) = plain.zip(dependency.filter(|_| kind == Kind::Chunk)) else {
            return self.import_unread(record);
        };
        // what it depends on may itself be kept in another way here, or be about to go
        if plain.depth <= DEPTH_MAX && depth == plain.depth && self.holds(Kind::Chunk, &base) {
            return self.import_unread(record);
        }
        let encoded = codec::encode(&plain.plain, &Hint::default(), None);
        let (codec, payload) = encoded.as_ref().map_or((CODEC_RAW, &plain.plain), |it| (it.codec, &it.payload));
        self.append(kind, digest, codec, len, payload)
    }
}

/// Refuses a record that is not what its name says; returns what a chunk holds. `base` is what it depends on, if that is
/// at hand; otherwise it is read from the store.
pub(crate) fn check(store: &Store, record: &Record, base: Option<&Base>) -> Result<Option<Base>> {
    let Record { header, payload, .. } = record;
    let digest = header.digest;
    match header.kind {
        Kind::Chunk => return check_chunk(store, record, base).map(Some).map_err(|fault| damaged(digest, fault)),
        Kind::Page if Digest::of(payload) == digest => {}
        Kind::Page | Kind::Commit => return Err(StoreError::corrupt(digest, "its bytes are other content")),
        Kind::Blob | Kind::Tree => {
            let recipe = Recipe::decode(digest, payload);
            check_recipe(store, &digest, recipe.map_err(|fault| damaged(digest, recipe_fault(store, fault)))?)?;
        }
    }
    Ok(None)
}

fn check_chunk(store: &Store, record: &Record, base: Option<&Base>) -> std::result::Result<Base, index::RecordFault> {
    let Record { header, payload, .. } = record;
    let Some(base) = base else {
        return decode_chunk(store, header, payload, 0);
    };
    if base.depth >= READ_DEPTH_MAX {
        return Err(too_deep());
    }
    let plain = decode_with_base(store, header, payload, &base.plain)?;
    Ok(Base { digest: header.digest, depth: base.depth + 1, plain })
}

fn damaged(digest: Digest, fault: index::RecordFault) -> StoreError {
    match fault {
        index::RecordFault::Damaged(what) => StoreError::corrupt(digest, what),
        index::RecordFault::Other(error) => error,
    }
}

/// The chunks that a recipe lists, in order, by way of its pages if it has any.
pub(crate) fn pieces(recipe: &Record, pages: &HashMap<RecordId, Record>) -> Result<Vec<Piece>> {
    let digest = recipe.header.digest;
    let corrupt = |what: &str| StoreError::corrupt(digest, what);
    let Recipe { size, layout, .. } =
        Recipe::decode(digest, &recipe.payload).map_err(|_| corrupt("its recipe is damaged"))?;
    let listed = match layout {
        Layout::Inline { .. } => return Ok(Vec::new()),
        Layout::Whole => return Ok(vec![Piece { start: 0, len: size, digest }]),
        Layout::Chunks(chunks) => return Ok(chunks),
        Layout::Pages(listed) => listed,
    };
    let mut chunks = Vec::new();
    for page in listed {
        let found = pages.get(&RecordId::new(RecordKind::Page, page.digest));
        let found = found.ok_or_else(|| corrupt("a page of its recipe is missing"))?;
        let found = decode_page(&found.payload, page.start).map_err(|_| corrupt("a page of its recipe is damaged"))?;
        if found.last().map(Piece::end) != Some(page.end()) {
            return Err(corrupt("a page of its recipe covers another stretch"));
        }
        chunks.extend(found);
    }
    Ok(chunks)
}

fn reader_by(store: &Store, digest: &Digest, recipe: Recipe) -> Result<BlobReader> {
    BlobReader::of_recipe(store, digest, recipe).map_err(|fault| damaged(*digest, fault))
}

/// Reads the content by the recipe: a recipe's own check proves only that somebody wrote it for this name.
fn check_recipe(store: &Store, digest: &Digest, recipe: Recipe) -> Result<()> {
    let expected = recipe.sha256;
    let mut sha256 = sha2::Sha256::new();
    reader_by(store, digest, recipe)?.copy_to(&mut |chunk| {
        sha256.update(chunk);
        Ok(())
    })?;
    let found: [u8; 32] = sha256.finalize().into();
    if expected.as_bytes() != &found {
        return Err(StoreError::corrupt(*digest, "its recipe gives it another SHA-256"));
    }
    Ok(())
}
