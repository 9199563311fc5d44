//! A record as it travels: what its header announced, and what it is of no use without.

use std::collections::HashMap;

use bytes::Bytes;
use stemma_core::{Digest, Sha256};

use crate::{
    codec::Dependency,
    error::{Result, StoreError},
    pack::{HEADER_LEN, Header, HeaderFault, Kind, Layout, PackId, Piece, Recipe, RecipeFault, decode_page, is_delta},
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

    pub(super) fn from_inner(kind: Kind) -> Option<Self> {
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
    pub(crate) header: Header,
    pub(crate) payload: Bytes,
    needs: Vec<RecordId>,
    /// Size and SHA-256 of the content of a recipe.
    pub(crate) content: Option<(u64, Sha256)>,
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

    pub(super) fn new(header: Header, payload: Bytes) -> std::result::Result<Self, RecordFault> {
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
            Kind::Chunk if is_delta(header.codec) => {
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
