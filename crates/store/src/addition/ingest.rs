//! From a reader to records: reads once, hashes while copying, holds a few MiB whatever the size.
//!
//! The calling thread reads, computes BLAKE3 and cuts. For content longer than one block a second thread computes
//! SHA-256 and a few more compress; their results are written in the order in which they come.

use std::{
    collections::HashSet,
    io::Read,
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, Scope},
};

use stemma_core::{Digest, Sha256};
use stemma_format::Outline;

use super::{
    base::BaseBlob,
    cut::{Cut, Cutter, LONGEST},
    records::Addition,
};
use crate::{
    blob::read_base,
    codec::{self, Array, Base, Encoded, Hint, Sampler},
    error::{Result, StoreError},
    holdings::{BlobInfo, Holdings},
    pack::{CODEC_RAW, Kind, Layout, PAGE_CHUNKS, PAGES_MAX, Piece, Recipe, encode_page},
    threads::Sha256Thread,
    tree::{TreeChild, TreeNodes, check_tree_node},
};

pub(crate) const BLOCK: usize = 1 << 20;
/// Content up to this length is a single chunk.
pub(crate) const SINGLE_CHUNK_MAX: usize = 128 << 10;
const COMPRESSORS_MAX: usize = 4;
/// Chunks per compressing thread that are on their way.
const CHUNKS_AHEAD: usize = 4;

/// What helps to store content well; it has no part in what is stored.
#[derive(Default)]
pub(crate) struct Guide {
    pub outline: Option<Outline>,
    /// Stored content that this is likely to be a later version of.
    pub like: Option<Digest>,
}

impl TreeNodes for Addition {
    fn put_node(&mut self, mut bytes: &[u8]) -> Result<Digest> {
        let info = ingest(self, Kind::Tree, &mut bytes, Guide::default(), &mut |_| {})?;
        Ok(info.digest)
    }
}

/// Adds a node of a tree that comes from elsewhere and returns what it refers to; refuses what is no node, or not the one
/// that was announced.
pub(crate) fn put_tree_node(addition: &mut Addition, announced: &Digest, bytes: Vec<u8>) -> Result<Vec<TreeChild>> {
    let children = check_tree_node(addition.holdings(), announced, bytes.clone())?;
    addition.put_node(&bytes)?;
    Ok(children)
}

/// Adds what `source` yields as a blob, or as the bytes of a tree.
pub(crate) fn ingest(
    addition: &mut Addition,
    kind: Kind,
    source: &mut dyn Read,
    guide: Guide,
    progress: &mut dyn FnMut(u64),
) -> Result<BlobInfo> {
    addition.check_usable()?;
    let first = read_block(source)?;
    let (info, layout) = if first.len() < BLOCK {
        ingest_block(addition, kind, &first, guide)?
    } else {
        ingest_stream(addition, first, guide, source, progress)?
    };
    let recipe = Recipe { size: info.size, sha256: info.sha256, layout };
    addition.append_recipe(kind, info.digest, &recipe)?;
    progress(info.size);
    Ok(info)
}

/// Reads until a block is full or the source ends.
pub(crate) fn read_block(source: &mut dyn Read) -> Result<Vec<u8>> {
    read_block_into(source, Vec::with_capacity(BLOCK))
}

/// The same into memory that was used before.
fn read_block_into(source: &mut dyn Read, mut block: Vec<u8>) -> Result<Vec<u8>> {
    block.clear();
    source.take(BLOCK as u64).read_to_end(&mut block).map_err(StoreError::Source)?;
    Ok(block)
}

/// Adds content that is in memory as a whole.
fn ingest_block(addition: &mut Addition, kind: Kind, content: &[u8], guide: Guide) -> Result<(BlobInfo, Layout)> {
    let info = BlobInfo { digest: Digest::of(content), sha256: Sha256::of(content), size: content.len() as u64 };
    let is_single = !content.is_empty() && content.len() <= SINGLE_CHUNK_MAX;
    if is_single && addition.holds(Kind::Chunk, &info.digest) {
        return Ok((info, Layout::Whole));
    }
    let mut sampler = Sampler::default();
    let base = guide.like.and_then(|like| BaseBlob::open(addition.holdings(), &like));
    let mut cutter = Cutter::new(content, guide.outline, base);
    if is_single {
        let array = cutter.only_array(content.len());
        // what is a version of something may get further versions, which can be differences to a chunk only
        if guide.like.is_none() && addition.may_be_inline(kind, &info.digest, content.len()) {
            return Ok((info, inline(content, array)));
        }
        let hint = Hint { array, base: cutter.neighbour(&info.digest) };
        put_chunk(addition, &mut sampler, info.digest, content, hint)?;
        return Ok((info, Layout::Whole));
    }
    let mut pieces = Pieces::default();
    let mut rest = content;
    while !rest.is_empty() {
        let Cut { at, mut hint } = cutter.next_cut(rest).unwrap_or_else(|| cutter.rest(rest.len()));
        let (chunk, behind) = rest.split_at(at);
        let digest = Digest::of(chunk);
        let neighbour = cutter.neighbour(&digest);
        hint.base = hint.base.or(neighbour);
        put_chunk(addition, &mut sampler, digest, chunk, hint)?;
        pieces.push(addition, digest, chunk.len())?;
        rest = behind;
    }
    Ok((info, pieces.finish(addition, info.digest)?))
}

fn inline(content: &[u8], array: Option<Array>) -> Layout {
    match codec::encode(content, &Hint { array, base: None }, None) {
        Some(Encoded { codec, payload }) => Layout::Inline { codec, stored: payload },
        None => Layout::Inline { codec: CODEC_RAW, stored: content.to_vec() },
    }
}

fn put_chunk(addition: &mut Addition, sampler: &mut Sampler, digest: Digest, chunk: &[u8], hint: Hint) -> Result<()> {
    if addition.holds(Kind::Chunk, &digest) {
        return Ok(());
    }
    let hint = usable(addition, hint);
    let encoded = if sampler.should_try(&hint) { encode(addition.holdings(), chunk, &hint) } else { None };
    append(addition, sampler, digest, chunk, &hint, encoded.as_ref())
}

/// Drops a base that can't be relied on.
fn usable(addition: &mut Addition, hint: Hint) -> Hint {
    Hint { base: hint.base.filter(|base| addition.holds(Kind::Chunk, base)), ..hint }
}

fn encode(holdings: &Holdings, chunk: &[u8], hint: &Hint) -> Option<Encoded> {
    // a base that can't be read is none: this chunk is then stored by itself
    let base: Option<Base> = hint.base.and_then(|base| read_base(holdings, &base).ok().flatten());
    codec::encode(chunk, hint, base.as_ref())
}

fn append(
    addition: &mut Addition,
    sampler: &mut Sampler,
    digest: Digest,
    chunk: &[u8],
    hint: &Hint,
    encoded: Option<&Encoded>,
) -> Result<()> {
    let (codec, payload) = encoded.map_or((CODEC_RAW, chunk), |encoded| (encoded.codec, &encoded.payload));
    sampler.observe(hint, codec);
    addition.append(Kind::Chunk, digest, codec, chunk.len() as u64, payload)
}

fn ingest_stream(
    addition: &mut Addition,
    first: Vec<u8>,
    guide: Guide,
    source: &mut dyn Read,
    progress: &mut dyn FnMut(u64),
) -> Result<(BlobInfo, Layout)> {
    let base = guide.like.and_then(|like| BaseBlob::open(addition.holdings(), &like));
    let cutter = Cutter::new(&first, guide.outline, base);
    thread::scope(|scope| {
        let (sha256, used) = Sha256Thread::start(scope);
        let compressors = Compressors::start(scope, addition.holdings().clone());
        let mut chunks = ChunkStream::new(addition, cutter, compressors);
        let mut whole = blake3::Hasher::new();
        let mut size = 0;
        let mut block = first;
        while !block.is_empty() {
            let is_last = block.len() < BLOCK;
            let shared = Arc::new(block);
            sha256.update(&shared);
            whole.update(&shared);
            chunks.push_block(&shared)?;
            size += shared.len() as u64;
            progress(size);
            drop(shared);
            block = if is_last { Vec::new() } else { read_block_into(source, used_block(&used))? };
        }
        let digest = Digest::from_bytes(*whole.finalize().as_bytes());
        let layout = chunks.finish(digest)?;
        Ok((BlobInfo { digest, sha256: sha256.finish(), size }, layout))
    })
}

/// The memory of a block that both threads are done with; it is still in the processor's cache.
fn used_block(used: &Receiver<Arc<Vec<u8>>>) -> Vec<u8> {
    used.try_recv().ok().and_then(Arc::into_inner).unwrap_or_else(|| Vec::with_capacity(BLOCK))
}

/// A chunk on its way to or from a compressing thread; `encoded` is set on the way back if it got shorter.
struct Job {
    digest: Digest,
    chunk: Vec<u8>,
    hint: Hint,
    encoded: Option<Encoded>,
}

/// Threads that compress chunks. They end when this is dropped.
struct Compressors {
    jobs: Sender<Job>,
    done: Receiver<Job>,
    threads: usize,
}

impl Compressors {
    fn start<'scope>(scope: &'scope Scope<'scope, '_>, holdings: Holdings) -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(COMPRESSORS_MAX);
        let (jobs, waiting) = channel::<Job>();
        let (finished, done) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let (holdings, waiting, finished) = (holdings.clone(), Arc::clone(&waiting), finished.clone());
            scope.spawn(move || {
                loop {
                    let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(mut job) = job else { return };
                    job.encoded = encode(&holdings, &job.chunk, &job.hint);
                    if finished.send(job).is_err() {
                        return;
                    }
                }
            });
        }
        Self { jobs, done, threads }
    }
}

/// Cuts blocks into chunks and writes those that are new.
struct ChunkStream<'a> {
    addition: &'a mut Addition,
    cutter: Cutter,
    compressors: Compressors,
    sampler: Sampler,
    pieces: Pieces,
    /// The beginning of a chunk that goes on in the next block.
    begun: Vec<u8>,
    under_way: HashSet<Digest>,
    /// Memory of chunks that are written.
    used: Vec<Vec<u8>>,
}

impl<'a> ChunkStream<'a> {
    fn new(addition: &'a mut Addition, cutter: Cutter, compressors: Compressors) -> Self {
        Self {
            addition,
            cutter,
            compressors,
            sampler: Sampler::default(),
            pieces: Pieces::default(),
            begun: Vec::with_capacity(LONGEST),
            under_way: HashSet::new(),
            used: Vec::new(),
        }
    }

    fn push_block(&mut self, block: &[u8]) -> Result<()> {
        let mut rest = block;
        while let Some(Cut { at, hint }) = self.cutter.next_cut(rest) {
            let (end_of_chunk, behind) = rest.split_at(at);
            if self.begun.is_empty() {
                self.push_chunk(end_of_chunk, hint)?;
            } else {
                self.begun.extend_from_slice(end_of_chunk);
                self.push_begun(hint)?;
            }
            rest = behind;
        }
        self.begun.extend_from_slice(rest);
        Ok(())
    }

    fn push_begun(&mut self, hint: Hint) -> Result<()> {
        let chunk = std::mem::take(&mut self.begun);
        let pushed = self.push_chunk(&chunk, hint);
        self.begun = chunk;
        self.begun.clear();
        pushed
    }

    fn push_chunk(&mut self, chunk: &[u8], mut hint: Hint) -> Result<()> {
        let digest = Digest::of(chunk);
        self.pieces.push(self.addition, digest, chunk.len())?;
        let neighbour = self.cutter.neighbour(&digest);
        hint.base = hint.base.or(neighbour);
        if self.under_way.contains(&digest) || self.addition.holds(Kind::Chunk, &digest) {
            return Ok(());
        }
        let hint = usable(self.addition, hint);
        if !self.sampler.should_try(&hint) {
            return append(self.addition, &mut self.sampler, digest, chunk, &hint, None);
        }
        while self.under_way.len() >= self.compressors.threads * CHUNKS_AHEAD {
            self.write_one()?;
        }
        self.under_way.insert(digest);
        let mut copy = self.used.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(chunk);
        let job = Job { digest, chunk: copy, hint, encoded: None };
        self.compressors.jobs.send(job).expect("the threads receive until the sender is dropped");
        Ok(())
    }

    /// Waits for one compressed chunk and writes it.
    fn write_one(&mut self) -> Result<()> {
        let job = self.compressors.done.recv().expect("the threads answer every job");
        self.under_way.remove(&job.digest);
        append(self.addition, &mut self.sampler, job.digest, &job.chunk, &job.hint, job.encoded.as_ref())?;
        self.used.push(job.chunk);
        Ok(())
    }

    fn finish(mut self, blob: Digest) -> Result<Layout> {
        if !self.begun.is_empty() {
            self.push_begun(Hint::default())?;
        }
        while !self.under_way.is_empty() {
            self.write_one()?;
        }
        self.pieces.finish(self.addition, blob)
    }
}

/// The recipe under construction; full pages go to the store at once.
#[derive(Default)]
struct Pieces {
    size: u64,
    chunks: Vec<Piece>,
    pages: Vec<Piece>,
}

impl Pieces {
    fn push(&mut self, addition: &mut Addition, digest: Digest, len: usize) -> Result<()> {
        if self.chunks.len() == PAGE_CHUNKS {
            self.end_page(addition)?;
        }
        self.chunks.push(Piece { start: self.size, len: len as u64, digest });
        self.size += len as u64;
        Ok(())
    }

    fn end_page(&mut self, addition: &mut Addition) -> Result<()> {
        let Some(first) = self.chunks.first() else {
            return Ok(());
        };
        let start = first.start;
        let page = encode_page(&self.chunks);
        let digest = Digest::of(&page);
        if !addition.holds(Kind::Page, &digest) {
            addition.append(Kind::Page, digest, CODEC_RAW, page.len() as u64, &page)?;
        }
        self.pages.push(Piece { start, len: self.size - start, digest });
        self.chunks.clear();
        Ok(())
    }

    fn finish(mut self, addition: &mut Addition, blob: Digest) -> Result<Layout> {
        if self.pages.is_empty() {
            return Ok(Layout::Chunks(self.chunks));
        }
        self.end_page(addition)?;
        if self.pages.len() > PAGES_MAX {
            let limit = self.pages[PAGES_MAX].start;
            return Err(StoreError::TooLarge { digest: blob, size: self.size, limit });
        }
        Ok(Layout::Pages(self.pages))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::records::HeldContent, *};
    use crate::blob::BlobReader;

    /// Adds a blob with a recipe of three pages, without the gigabyte that it would take: by chunks of a few bytes.
    fn put_paged(mut addition: Addition) -> (Digest, Vec<u8>) {
        let mut pieces = Pieces::default();
        let mut content = Vec::new();
        for number in 0..PAGE_CHUNKS as u32 * 2 + 100 {
            // a long run of equal chunks, so that the first two pages are equal too
            let is_run = number < PAGE_CHUNKS as u32 * 2;
            let chunk = if is_run { b"same".to_vec() } else { number.to_string().into() };
            let digest = Digest::of(&chunk);
            put_chunk(&mut addition, &mut Sampler::default(), digest, &chunk, Hint::default()).unwrap();
            pieces.push(&mut addition, digest, chunk.len()).unwrap();
            content.extend_from_slice(&chunk);
        }
        let (digest, sha256) = (Digest::of(&content), Sha256::of(&content));
        let layout = pieces.finish(&mut addition, digest).unwrap();
        assert!(matches!(&layout, Layout::Pages(pages) if pages.len() == 3));
        let recipe = Recipe { size: content.len() as u64, sha256, layout };
        addition.append_recipe(Kind::Blob, digest, &recipe).unwrap();
        addition.commit().unwrap();
        (digest, content)
    }

    fn reads(holdings: &Holdings, digest: &Digest) -> Result<Vec<u8>> {
        BlobReader::open(holdings.clone(), Kind::Blob, digest)?.into_vec(u64::MAX)
    }

    #[test]
    fn a_blob_whose_recipe_takes_several_pages_reads_back_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let holdings = Holdings::open(folder.path()).unwrap();
        let (digest, content) = put_paged(Addition::new(holdings, HeldContent::Trust));
        let holdings = Holdings::open(folder.path()).unwrap();
        assert_eq!(reads(&holdings, &digest).unwrap(), content);
        let reader = BlobReader::open(holdings, Kind::Blob, &digest).unwrap();
        for offset in (0..content.len()).step_by(1009) {
            let part = reader.read_at(offset as u64, 50).unwrap();
            assert_eq!(part, content[offset..content.len().min(offset + 50)]);
        }
    }

    #[test]
    fn a_damaged_page_is_noticed_and_repaired() {
        let folder = tempfile::tempdir().unwrap();
        let holdings = Holdings::open(folder.path()).unwrap();
        let (digest, content) = put_paged(Addition::new(holdings.clone(), HeldContent::Trust));
        let pack = holdings.index().packs()[0].0.pack_path(holdings.index().dir());
        let mut bytes = std::fs::read(&pack).unwrap();
        let same = Digest::of(b"same");
        let mut places = bytes.windows(32).enumerate().filter(|(_, window)| window == same.as_bytes());
        let in_page = places.nth(PAGE_CHUNKS / 2).unwrap().0;
        bytes[in_page] ^= 1;
        std::fs::write(&pack, &bytes).unwrap();

        let read = reads(&Holdings::open(folder.path()).unwrap(), &digest);
        assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
        let holdings = Holdings::open(folder.path()).unwrap();
        put_paged(Addition::new(holdings, HeldContent::ReadBack));
        assert_eq!(reads(&Holdings::open(folder.path()).unwrap(), &digest).unwrap(), content);
    }
}
