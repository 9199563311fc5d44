//! Reading a blob, anywhere in it, without ever handing out a byte that was not checked.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    sync::{Arc, Mutex, PoisonError},
};

use stemma_core::{Digest, Sha256};

use crate::{
    blob::read_ahead,
    codec::{self, Base, Dependency},
    error::{IoContext as _, Result, StoreError},
    fs::direct,
    index::RecordFault,
    pack::{CHUNK_MAX, Header, Kind},
    pack::{Layout, Piece, Recipe, RecipeFault, decode_page},
    store::{BlobInfo, Store},
};

/// Plain bytes of chunks kept per reader.
const CACHE_BYTES_MAX: usize = 2 << 20;
const CACHED_PAGES_MAX: usize = 4;
/// More than writers make ([`codec::DEPTH_MAX`]): a base that was lost may have been written again as a delta.
pub(crate) const READ_DEPTH_MAX: u8 = 16;

/// An open blob.
///
/// Reads and seeks like a file, or reads at any place through a shared reference. Chunks are fetched when needed and a
/// few are kept, so that many small reads close together (the footer of a Parquet file) are cheap.
pub struct BlobReader {
    store: Store,
    info: BlobInfo,
    content: Content,
    cache: Mutex<Cache>,
    position: u64,
}

/// What a recipe leads to.
enum Content {
    /// All of it, checked.
    Here(Vec<u8>),
    /// A chunk named like the blob.
    Chunk,
    Chunks(Vec<Piece>),
    Pages(Vec<Piece>),
}

#[derive(Default)]
struct Cache {
    chunks: VecDeque<(Digest, Arc<[u8]>)>,
    chunk_bytes: usize,
    pages: VecDeque<(Digest, Arc<[Piece]>)>,
}

impl BlobReader {
    pub(crate) fn open(store: Store, kind: Kind, digest: &Digest) -> Result<Self> {
        let opened = store.index().fetch(kind, digest, |_, payload| {
            let recipe = Recipe::decode(*digest, payload).map_err(|fault| recipe_fault(&store, fault))?;
            Self::of_recipe(&store, digest, recipe)
        })?;
        opened.ok_or(StoreError::NotFound(*digest))
    }

    /// Reads content by a recipe that need not be stored.
    pub(crate) fn of_recipe(store: &Store, digest: &Digest, recipe: Recipe) -> std::result::Result<Self, RecordFault> {
        let Recipe { size, sha256, layout } = recipe;
        let content = match layout {
            Layout::Inline { codec, stored } => Content::Here(unpack(store, digest, codec, stored, size)?),
            Layout::Whole => Content::Chunk,
            Layout::Chunks(chunks) => Content::Chunks(chunks),
            Layout::Pages(pages) => Content::Pages(pages),
        };
        let info = BlobInfo { digest: *digest, sha256, size };
        Ok(Self { store: store.clone(), info, content, cache: Mutex::default(), position: 0 })
    }

    pub fn digest(&self) -> Digest {
        self.info.digest
    }

    pub fn sha256(&self) -> Sha256 {
        self.info.sha256
    }

    pub fn info(&self) -> BlobInfo {
        self.info
    }

    /// Length of the blob in bytes.
    pub fn len(&self) -> u64 {
        self.info.size
    }

    pub fn is_empty(&self) -> bool {
        self.info.size == 0
    }

    /// Returns the bytes from `offset` on, at most `len` and fewer only at the end.
    pub fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let rest = self.len().saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(rest).unwrap_or(usize::MAX).min(len)];
        self.fill_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `buffer` with the bytes from `offset` on; returns how many there were, fewer only at the end.
    pub fn read_into_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let rest = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = rest.min(buffer.len());
        self.fill_at(offset, &mut buffer[..len])?;
        Ok(len)
    }

    /// The whole of `buffer` lies within the blob.
    fn fill_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if let Content::Here(bytes) = &self.content
            && !buffer.is_empty()
        {
            buffer.copy_from_slice(&bytes[offset as usize..][..buffer.len()]);
            return Ok(());
        }
        let mut filled = 0;
        while filled < buffer.len() {
            let at = offset + filled as u64;
            let piece = self.piece_at(at)?;
            let chunk = self.chunk(&piece)?;
            let source = &chunk[(at - piece.start) as usize..];
            let len = source.len().min(buffer.len() - filled);
            buffer[filled..filled + len].copy_from_slice(&source[..len]);
            filled += len;
        }
        Ok(())
    }

    /// Copies the whole blob and checks its own digest at the end, after the last byte was written: what `sink` got
    /// counts only if this succeeds.
    pub(crate) fn copy_to(&self, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match &self.content {
            Content::Here(bytes) => return sink(bytes),
            // it has been checked against the same digest
            Content::Chunk => return read_ahead::chunks(self, sink),
            Content::Chunks(_) | Content::Pages(_) => {}
        }
        let mut hasher = blake3::Hasher::new();
        read_ahead::chunks(self, &mut |chunk| {
            hasher.update(chunk);
            sink(chunk)
        })?;
        if hasher.finalize().as_bytes() != self.info.digest.as_bytes() {
            return Err(self.corrupt("its chunks are whole, but together they are other content"));
        }
        Ok(())
    }

    pub(crate) fn into_vec(self, limit: u64) -> Result<Vec<u8>> {
        let BlobInfo { digest, size, .. } = self.info;
        if size > limit {
            return Err(StoreError::TooLarge { digest, size, limit });
        }
        // a recipe is checked, so its size is what was once put; still nothing is reserved on its word alone
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(CHUNK_MAX)).unwrap_or(0));
        self.copy_to(&mut |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(bytes)
    }

    fn corrupt(&self, what: impl Into<String>) -> StoreError {
        StoreError::corrupt(self.info.digest, what)
    }

    /// The chunk that covers the byte at `offset`, which lies within the blob.
    pub(crate) fn piece_at(&self, offset: u64) -> Result<Piece> {
        match &self.content {
            Content::Here(_) | Content::Chunk => Ok(Piece { start: 0, len: self.info.size, digest: self.info.digest }),
            Content::Chunks(chunks) => self.piece_among(chunks, offset),
            Content::Pages(pages) => {
                let page = self.piece_among(pages, offset)?;
                self.piece_among(&self.page(&page)?, offset)
            }
        }
    }

    fn piece_among(&self, pieces: &[Piece], offset: u64) -> Result<Piece> {
        let index = pieces.partition_point(|piece| piece.end() <= offset);
        let covering = pieces.get(index).filter(|piece| piece.start <= offset);
        covering.copied().ok_or_else(|| self.corrupt(format!("its recipe has a hole at byte {offset}")))
    }

    fn page(&self, page: &Piece) -> Result<Arc<[Piece]>> {
        if let Some(chunks) = self.cache().page(&page.digest, page.start) {
            return Ok(chunks);
        }
        let fetched = read_page(&self.store, &page.digest, page.start);
        let chunks = self.part("page", page, fetched)?;
        if chunks.last().map(Piece::end) != Some(page.end()) {
            return Err(self.corrupt("a page of its recipe covers another stretch"));
        }
        let chunks: Arc<[Piece]> = chunks.into();
        self.cache().keep_page(page.digest, &chunks);
        Ok(chunks)
    }

    fn chunk(&self, piece: &Piece) -> Result<Arc<[u8]>> {
        if let Some(chunk) = self.cache().chunk(&piece.digest) {
            return Ok(chunk);
        }
        let chunk: Arc<[u8]> = self.uncached_chunk(piece)?.into();
        self.cache().keep_chunk(piece.digest, &chunk);
        Ok(chunk)
    }

    pub(crate) fn uncached_chunk(&self, piece: &Piece) -> Result<Vec<u8>> {
        let fetched = read_chunk(&self.store, &piece.digest);
        let chunk = self.part("chunk", piece, fetched)?;
        if chunk.len() as u64 != piece.len {
            return Err(self.corrupt("its recipe gives a chunk another length"));
        }
        Ok(chunk)
    }

    /// A part that is missing or damaged makes the blob damaged.
    fn part<T>(&self, name: &str, piece: &Piece, fetched: Result<Option<T>>) -> Result<T> {
        match fetched {
            Ok(Some(part)) => Ok(part),
            Ok(None) => Err(self.corrupt(format!("its {name} {} is missing", piece.digest))),
            Err(StoreError::Corrupt { what, .. }) => {
                Err(self.corrupt(format!("its {name} {} is damaged: {what}", piece.digest)))
            }
            Err(error) => Err(error),
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the recipe of a blob or tree; `None` if there is none of this name.
pub(crate) fn read_recipe(store: &Store, kind: Kind, digest: &Digest) -> Result<Option<Recipe>> {
    store
        .index()
        .fetch(kind, digest, |_, payload| Recipe::decode(*digest, payload).map_err(|fault| recipe_fault(store, fault)))
}

/// Returns the plain bytes of a chunk; `None` if there is none of this name.
pub(crate) fn read_chunk(store: &Store, digest: &Digest) -> Result<Option<Vec<u8>>> {
    Ok(read_base(store, digest)?.map(|base| base.plain))
}

/// The same, with how many other chunks it depends on.
pub(crate) fn read_base(store: &Store, digest: &Digest) -> Result<Option<Base>> {
    read_dependent(store, digest, 0)
}

fn read_dependent(store: &Store, digest: &Digest, dependents: u8) -> Result<Option<Base>> {
    store.index().fetch(Kind::Chunk, digest, |header, payload| decode_chunk(store, header, payload, dependents))
}

/// Returns the chunks of a page that begins at `start` of its blob; `None` if there is none of this name.
pub(crate) fn read_page(store: &Store, digest: &Digest, start: u64) -> Result<Option<Vec<Piece>>> {
    store.index().fetch(Kind::Page, digest, |_, payload| {
        if Digest::of(payload) != *digest {
            return Err(RecordFault::Damaged("its bytes are other content".to_owned()));
        }
        decode_page(payload, start).map_err(|fault| recipe_fault(store, fault))
    })
}

/// Checks the bytes of a record in hand, beyond their CRC.
pub(crate) fn check_record(store: &Store, header: &Header, payload: &[u8]) -> std::result::Result<(), RecordFault> {
    match header.kind {
        Kind::Chunk => decode_chunk(store, header, payload, 0).map(drop),
        Kind::Page if Digest::of(payload) != header.digest => {
            Err(RecordFault::Damaged("its bytes are other content".to_owned()))
        }
        Kind::Blob | Kind::Tree => {
            let recipe = Recipe::decode(header.digest, payload).map_err(|fault| recipe_fault(store, fault))?;
            BlobReader::of_recipe(store, &header.digest, recipe).map(drop)
        }
        Kind::Page | Kind::Commit => Ok(()),
    }
}

/// Reads a part of a blob only to see whether it is whole.
pub(crate) fn read_back(store: &Store, kind: Kind, digest: &Digest) -> Result<()> {
    match kind {
        Kind::Page => read_page(store, digest, 0).map(drop),
        Kind::Chunk => read_chunk(store, digest).map(drop),
        Kind::Blob | Kind::Tree | Kind::Commit => Ok(()),
    }
}

/// Returns the plain bytes if they are what the header's name says. `dependents` counts the deltas that led here.
pub(crate) fn decode_chunk(
    store: &Store,
    header: &Header,
    payload: &[u8],
    dependents: u8,
) -> std::result::Result<Base, RecordFault> {
    let base = match Dependency::of(header.codec, payload) {
        Some(dependency) => Some(read_dependency(store, &dependency, dependents)?),
        None => None,
    };
    let base_bytes = base.as_ref().map_or(&[][..], |base| &base.plain);
    let plain = decode_with_base(store, header, payload, base_bytes)?;
    Ok(Base { digest: header.digest, depth: base.map_or(0, |base| base.depth + 1), plain })
}

/// The same where the bytes of what it depends on are known.
pub(crate) fn decode_with_base(
    store: &Store,
    header: &Header,
    payload: &[u8],
    base: &[u8],
) -> std::result::Result<Vec<u8>, RecordFault> {
    if header.plain > CHUNK_MAX {
        return Err(RecordFault::Damaged("it is longer than any chunk".to_owned()));
    }
    let plain = codec::decode(header.codec, payload, header.plain as usize, base);
    let plain = plain.map_err(|error| match error.kind() {
        io::ErrorKind::Unsupported => unsupported(store, "codec", header.codec),
        _ => RecordFault::Damaged(format!("it does not decode: {error}")),
    })?;
    if Digest::of(&plain) != header.digest {
        return Err(RecordFault::Damaged("its bytes are other content".to_owned()));
    }
    Ok(plain)
}

/// Returns the plain bytes that a recipe holds if they are what its name says.
fn unpack(
    store: &Store,
    digest: &Digest,
    codec: u8,
    stored: Vec<u8>,
    size: u64,
) -> std::result::Result<Vec<u8>, RecordFault> {
    let header = Header { codec, plain: size, ..Header::for_payload(Kind::Chunk, codec, *digest, size, &[]) };
    decode_with_base(store, &header, &stored, &[])
}

/// Reads what a delta depends on; what is wrong with that is wrong with the delta.
fn read_dependency(store: &Store, dependency: &Dependency, dependents: u8) -> std::result::Result<Base, RecordFault> {
    let Dependency { base, .. } = dependency;
    if dependents >= READ_DEPTH_MAX {
        return Err(too_deep());
    }
    match read_dependent(store, base, dependents + 1) {
        Ok(Some(base)) => Ok(base),
        Ok(None) => Err(RecordFault::Damaged(format!("its base {base} is missing"))),
        Err(StoreError::Corrupt { what, .. }) => {
            Err(RecordFault::Damaged(format!("its base {base} is damaged: {what}")))
        }
        Err(error) => Err(RecordFault::Other(error)),
    }
}

pub(crate) fn too_deep() -> RecordFault {
    RecordFault::Damaged(format!("more than {READ_DEPTH_MAX} chunks depend on each other"))
}

pub(crate) fn recipe_fault(store: &Store, fault: RecipeFault) -> RecordFault {
    match fault {
        RecipeFault::Damaged(what) => RecordFault::Damaged(what.to_owned()),
        RecipeFault::Unknown(version) => unsupported(store, "recipe version", version),
    }
}

fn unsupported(store: &Store, what: &'static str, version: u8) -> RecordFault {
    let path = store.index().dir().to_owned();
    RecordFault::Other(StoreError::UnsupportedVersion { path, what, version: version.into() })
}

impl Cache {
    fn chunk(&self, digest: &Digest) -> Option<Arc<[u8]>> {
        self.chunks.iter().find(|(held, _)| held == digest).map(|(_, chunk)| Arc::clone(chunk))
    }

    fn keep_chunk(&mut self, digest: Digest, chunk: &Arc<[u8]>) {
        self.chunks.push_front((digest, Arc::clone(chunk)));
        self.chunk_bytes += chunk.len();
        while self.chunk_bytes > CACHE_BYTES_MAX && self.chunks.len() > 1 {
            let oldest = self.chunks.pop_back().map_or(0, |(_, chunk)| chunk.len());
            self.chunk_bytes -= oldest;
        }
    }

    /// Equal pages at different places of a blob (a long run of zeros) are told apart by where they start.
    fn page(&self, digest: &Digest, start: u64) -> Option<Arc<[Piece]>> {
        let starts_there = |chunks: &[Piece]| chunks.first().is_some_and(|first| first.start == start);
        let held = self.pages.iter().find(|(held, chunks)| held == digest && starts_there(chunks));
        held.map(|(_, chunks)| Arc::clone(chunks))
    }

    fn keep_page(&mut self, digest: Digest, chunks: &Arc<[Piece]>) {
        self.pages.push_front((digest, Arc::clone(chunks)));
        self.pages.truncate(CACHED_PAGES_MAX);
    }
}

impl stemma_format::ReadAt for BlobReader {
    fn len(&self) -> u64 {
        self.info.size
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self.read_into_at(offset, buffer)? {
            len if len == buffer.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.read_into_at(self.position, buffer)?;
        self.position += len as u64;
        Ok(len)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(delta) => self.len().checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        let before_the_start = || io::Error::new(io::ErrorKind::InvalidInput, "seek to before the start of a blob");
        self.position = target.ok_or_else(before_the_start)?;
        Ok(self.position)
    }
}

/// Copies a blob to a new file; the digest is checked before this returns.
pub(crate) fn write_blob(reader: &BlobReader, file: &File, path: &std::path::Path) -> Result<()> {
    let mut output = direct::Output::starting_at(0);
    reader.copy_to(&mut |chunk| output.write(file, chunk).at(path))?;
    output.flush(file).at(path)
}
