//! Reading a blob, anywhere in it, without ever handing out a byte that was not checked.

use std::{
    collections::VecDeque,
    io::{self, Read, Seek, SeekFrom},
    sync::{Arc, Mutex, PoisonError},
};

use stemma_core::{Digest, Sha256};

use super::{
    chunk::{read_chunk, unpack},
    fault::recipe_fault,
    recipe::read_page,
};
use crate::{
    error::{Result, StoreError},
    holdings::{BlobInfo, Holdings},
    index::CopyFault,
    pack::{CHUNK_MAX, Kind, Layout, Piece, Recipe},
    threads::in_order,
};

const THREADS_MAX: usize = 4;
/// Shorter blobs are read by the calling thread: starting others takes longer.
const WORTH_THREADS: u64 = 4 << 20;
/// Plain bytes of chunks kept per reader.
const CACHE_BYTES_MAX: usize = 2 << 20;
const CACHED_PAGES_MAX: usize = 4;
/// An open blob.
///
/// Reads and seeks like a file, or reads at any place through a shared reference. Chunks are fetched when needed and a
/// few are kept, so that many small reads close together (the footer of a Parquet file) are cheap.
pub struct BlobReader {
    holdings: Holdings,
    info: BlobInfo,
    layout: OpenedLayout,
    cache: Mutex<Cache>,
    position: u64,
}

/// The layout of a recipe, ready to be read.
enum OpenedLayout {
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
    pub(crate) fn open(holdings: Holdings, kind: Kind, digest: &Digest) -> Result<Self> {
        let opened = holdings.index().fetch(kind, digest, |_, payload| {
            let recipe = Recipe::decode(*digest, payload).map_err(|fault| recipe_fault(&holdings, fault))?;
            Self::of_recipe(&holdings, digest, recipe)
        })?;
        opened.ok_or(StoreError::NotFound(*digest))
    }

    /// Reads content by a recipe that need not be stored.
    pub(crate) fn of_recipe(
        holdings: &Holdings,
        digest: &Digest,
        recipe: Recipe,
    ) -> std::result::Result<Self, CopyFault> {
        let Recipe { size, sha256, layout } = recipe;
        let layout = match layout {
            Layout::Inline { codec, stored } => OpenedLayout::Here(unpack(holdings, digest, codec, stored, size)?),
            Layout::Whole => OpenedLayout::Chunk,
            Layout::Chunks(chunks) => OpenedLayout::Chunks(chunks),
            Layout::Pages(pages) => OpenedLayout::Pages(pages),
        };
        let info = BlobInfo { digest: *digest, sha256, size };
        Ok(Self { holdings: holdings.clone(), info, layout, cache: Mutex::default(), position: 0 })
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
        if let OpenedLayout::Here(bytes) = &self.layout
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
        match &self.layout {
            OpenedLayout::Here(bytes) => return sink(bytes),
            // it has been checked against the same digest
            OpenedLayout::Chunk => return self.each_chunk(sink),
            OpenedLayout::Chunks(_) | OpenedLayout::Pages(_) => {}
        }
        let mut hasher = blake3::Hasher::new();
        self.each_chunk(&mut |chunk| {
            hasher.update(chunk);
            sink(chunk)
        })?;
        if hasher.finalize().as_bytes() != self.info.digest.as_bytes() {
            return Err(self.corrupt("its chunks are whole, but together they are other content"));
        }
        Ok(())
    }

    /// Hands all chunks to `take`, in order. Those of a long blob are read, decoded and checked ahead by a few threads.
    fn each_chunk(&self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut at = 0;
        let mut next = || {
            if at >= self.len() {
                return Ok(None);
            }
            let piece = self.piece_at(at)?;
            at = piece.end();
            Ok(Some(piece))
        };
        if self.len() >= WORTH_THREADS {
            let read = |piece: Piece| self.uncached_chunk(&piece);
            return in_order(THREADS_MAX, &mut next, &read, &mut |chunk| take(&chunk?));
        }
        while let Some(piece) = next()? {
            take(&self.uncached_chunk(&piece)?)?;
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
        match &self.layout {
            OpenedLayout::Here(_) | OpenedLayout::Chunk => {
                Ok(Piece { start: 0, len: self.info.size, digest: self.info.digest })
            }
            OpenedLayout::Chunks(chunks) => self.piece_among(chunks, offset),
            OpenedLayout::Pages(pages) => {
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
        let fetched = read_page(&self.holdings, &page.digest, page.start);
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

    fn uncached_chunk(&self, piece: &Piece) -> Result<Vec<u8>> {
        let fetched = read_chunk(&self.holdings, &piece.digest);
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
