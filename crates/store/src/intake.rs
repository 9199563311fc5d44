//! Contents that arrive in parts: each part is decoded once, checked and kept, and the contents are read meanwhile.
//!
//! A recipe is believed only when the content that it describes has both the digests that it gives. Reading everything
//! once more for that would cost as much as all the rest, so whoever brings parts says which stretches of which contents
//! can be read with them. Parts are decoded by a few threads; the calling thread keeps them and reads the contents, in
//! order.

mod reading;

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::{Arc, OnceLock},
    thread::{self, Scope},
};

use stemma_core::Digest;

use crate::{
    batch::Batch,
    blob::read_base,
    codec::Base,
    error::{Result, StoreError},
    exchange::{Record, RecordId, RecordKind, check, pieces},
    intake::reading::Reading,
    pack::Piece,
    store::Store,
    threads::in_order,
};

/// So much is committed at once.
const COMMIT_BYTES: u64 = 32 << 20;

/// A content whose recipe has come and is not believed yet.
#[derive(Debug)]
pub struct Incoming {
    recipe: Record,
    chunks: Vec<Piece>,
}

impl Incoming {
    /// `pages` holds those that the recipe names.
    pub fn new(recipe: Record, pages: &HashMap<RecordId, Record>) -> Result<Self> {
        let chunks = pieces(&recipe, pages)?;
        Ok(Self { recipe, chunks })
    }

    /// The chunks that it is put together from, in order, and how long each is.
    pub fn chunks(&self) -> impl ExactSizeIterator<Item = (RecordId, u64)> {
        self.chunks.iter().map(|piece| (RecordId::new(RecordKind::Chunk, piece.digest), piece.len))
    }

    fn digest(&self) -> Digest {
        self.recipe.id().digest
    }
}

/// Parts that came together.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Pages, and chunks that are not in the store, with what they depend on.
    pub parts: Vec<Record>,
    /// What can be read with them and with what is in the store. The stretches of a content follow each other.
    pub stretches: Vec<Stretch>,
}

/// Chunks of a content, by their number.
#[derive(Debug, Clone)]
pub struct Stretch {
    pub content: Arc<Incoming>,
    pub chunks: Range<usize>,
}

/// Takes in what `next` gives, until it gives nothing more. `batch` makes the batches that it is committed by.
///
/// Parts are committed as they come, also if there is a failure later: what has come need not come again. A content is
/// here when its last stretch has been read.
pub fn take_in(batch: &dyn Fn() -> Batch, next: &mut dyn FnMut() -> Option<Delivery>) -> Result<()> {
    let first = batch();
    let store = &first.store().clone();
    thread::scope(|scope| {
        let mut intake = Intake { scope, fresh: batch, batch: first, uncommitted: 0, reading: None };
        let mut jobs = VecDeque::new();
        let mut next_job = || {
            while jobs.is_empty() {
                let Some(delivery) = next() else { return Ok(None) };
                jobs = delivery.into_jobs();
            }
            Ok(jobs.pop_front())
        };
        let taken = in_order(&mut next_job, &|job: Job| job.work(store), &mut |done| intake.take(done?));
        let committed = intake.batch.commit();
        taken.and(committed)
    })
}

/// Where the plain bytes of a chunk are left; `None` if they could not be had.
type Slot = Arc<OnceLock<Option<Arc<Base>>>>;

/// A step on the way of a delivery into the store.
enum Job {
    Check {
        part: Record,
        base: Option<Slot>,
        plain: Leave,
    },
    /// Fetches a chunk that is here already.
    Fetch(Digest, Leave),
    Read {
        content: Arc<Incoming>,
        piece: Piece,
        plain: Slot,
    },
    /// All of it was read.
    End(Arc<Incoming>),
}

enum Done {
    Checked(Record, Option<Arc<Base>>),
    Fetched(Digest),
    Read(Arc<Incoming>, Arc<Base>),
    End(Arc<Incoming>),
}

/// Fills a slot, with nothing if it was dropped before: somebody may wait for it.
struct Leave(Slot);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.get_or_init(|| None);
    }
}

impl Delivery {
    /// What is needed comes before what needs it; threads take the jobs in this order, so that none waits for ever.
    fn into_jobs(self) -> VecDeque<Job> {
        let (chunks, pages): (Vec<_>, Vec<_>) =
            self.parts.into_iter().partition(|part| part.id().kind == RecordKind::Chunk);
        let mut jobs = Jobs {
            parts: chunks.into_iter().map(|part| (part.id().digest, part)).collect(),
            slots: HashMap::new(),
            jobs: pages
                .into_iter()
                .map(|part| Job::Check { part, base: None, plain: Leave(Slot::default()) })
                .collect(),
        };
        for Stretch { content, chunks } in self.stretches {
            let is_last = chunks.end == content.chunks.len();
            for piece in &content.chunks[chunks] {
                let plain = jobs.slot(&piece.digest);
                jobs.jobs.push_back(Job::Read { content: Arc::clone(&content), piece: *piece, plain });
            }
            if is_last {
                jobs.jobs.push_back(Job::End(content));
            }
        }
        while let Some(digest) = jobs.parts.keys().next().copied() {
            jobs.slot(&digest);
        }
        jobs.jobs
    }
}

struct Jobs {
    parts: HashMap<Digest, Record>,
    slots: HashMap<Digest, Slot>,
    jobs: VecDeque<Job>,
}

impl Jobs {
    /// Where the bytes of a chunk are going to be; sees to it that they are.
    fn slot(&mut self, digest: &Digest) -> Slot {
        if let Some(slot) = self.slots.get(digest) {
            return Arc::clone(slot);
        }
        let Some(part) = self.parts.remove(digest) else {
            let slot = self.new_slot(*digest);
            self.jobs.push_back(Job::Fetch(*digest, Leave(Arc::clone(&slot))));
            return slot;
        };
        // without recursion: nobody knows yet how long the chain is
        let mut chain = vec![part];
        while let Some(base) = chain.last().and_then(Record::base).and_then(|base| self.parts.remove(&base)) {
            chain.push(base);
        }
        for part in chain.into_iter().rev() {
            let base = part.base().and_then(|base| self.slots.get(&base).cloned());
            let plain = Leave(self.new_slot(part.id().digest));
            self.jobs.push_back(Job::Check { part, base, plain });
        }
        Arc::clone(&self.slots[digest])
    }

    fn new_slot(&mut self, digest: Digest) -> Slot {
        Arc::clone(self.slots.entry(digest).or_default())
    }
}

impl Job {
    fn work(self, store: &Store) -> Result<Done> {
        match self {
            Self::Check { part, base, plain } => {
                let base = base.and_then(|slot| slot.wait().clone());
                let found = check(store, &part, base.as_deref())?.map(Arc::new);
                let _ = plain.0.set(found.clone());
                Ok(Done::Checked(part, found))
            }
            Self::Fetch(digest, plain) => {
                let found = read_base(store, &digest)?.ok_or_else(|| missing(digest))?;
                let _ = plain.0.set(Some(Arc::new(found)));
                Ok(Done::Fetched(digest))
            }
            Self::Read { content, piece, plain } => {
                let found = plain.wait().clone().ok_or_else(|| missing(piece.digest))?;
                if found.plain.len() as u64 != piece.len {
                    return Err(StoreError::corrupt(content.digest(), "its recipe gives a chunk another length"));
                }
                Ok(Done::Read(content, found))
            }
            Self::End(content) => {
                if content.chunks.is_empty() {
                    check(store, &content.recipe, None)?;
                }
                Ok(Done::End(content))
            }
        }
    }
}

fn missing(chunk: Digest) -> StoreError {
    StoreError::corrupt(chunk, "it is missing")
}

/// What the calling thread holds.
struct Intake<'a, 'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    fresh: &'a dyn Fn() -> Batch,
    batch: Batch,
    uncommitted: u64,
    reading: Option<Reading<'scope>>,
}

impl<'scope> Intake<'_, 'scope, '_> {
    fn take(&mut self, done: Done) -> Result<()> {
        match done {
            Done::Checked(part, plain) => self.keep(&part, plain.as_deref())?,
            // it may be about to go, or not be on disk yet
            Done::Fetched(chunk) => {
                if !self.batch.keep_record(&RecordId::new(RecordKind::Chunk, chunk))? {
                    return Err(missing(chunk));
                }
            }
            Done::Read(content, plain) => self.read(content, plain),
            Done::End(content) => {
                match self.reading.take().filter(|reading| reading.is_of(&content)) {
                    Some(reading) => reading.finish()?,
                    None if content.chunks.is_empty() => {}
                    None => return Err(StoreError::corrupt(content.digest(), "it was not read")),
                }
                self.keep(&content.recipe, None)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, part: &Record, plain: Option<&Base>) -> Result<()> {
        self.batch.import_checked(part, plain)?;
        self.uncommitted += part.len();
        if self.uncommitted >= COMMIT_BYTES {
            std::mem::replace(&mut self.batch, (self.fresh)()).commit()?;
            self.uncommitted = 0;
        }
        Ok(())
    }

    fn read(&mut self, content: Arc<Incoming>, plain: Arc<Base>) {
        let reading = match self.reading.take() {
            Some(reading) if reading.is_of(&content) => reading,
            _ => Reading::start(self.scope, content),
        };
        self.reading.insert(reading).update(plain);
    }
}

#[cfg(test)]
mod tests {
    use stemma_core::Sha256;
    use tempfile::TempDir;

    use super::*;
    use crate::{
        blob::READ_DEPTH_MAX,
        codec::DEPTH_MAX,
        pack::PackId,
        pack::{CODEC_RAW, CODEC_ZSTD_DELTA, Header, Kind},
        pack::{Layout, PAGE_CHUNKS, Recipe, encode_page},
    };

    fn noise(seed: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn store() -> (TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (folder, store)
    }

    /// A record as somebody may have written it who doesn't mean well: its checks hold.
    fn record(kind: Kind, codec: u8, digest: Digest, plain: usize, payload: &[u8]) -> Record {
        let pack = PackId([1; 16]);
        let header = Header::for_payload(kind, codec, digest, plain as u64, payload);
        let bytes = [&header.encode(pack, 32), payload].concat();
        Record::parse(pack, 32, &bytes.into()).unwrap()
    }

    fn chunk(bytes: &[u8]) -> Record {
        record(Kind::Chunk, CODEC_RAW, Digest::of(bytes), bytes.len(), bytes)
    }

    fn recipe(content: &[u8], sha256: Sha256, chunks: &[&[u8]]) -> Record {
        let digest = Digest::of(content);
        let mut start = 0;
        let pieces = chunks.iter().map(|chunk| {
            let piece = Piece { start, len: chunk.len() as u64, digest: Digest::of(chunk) };
            start += piece.len;
            piece
        });
        let layout = Layout::Chunks(pieces.collect());
        let payload = Recipe { size: start, sha256, layout }.encode(digest);
        record(Kind::Blob, CODEC_RAW, digest, payload.len(), &payload)
    }

    /// All that a content needs, as it is in a store.
    fn exported(store: &Store, digest: &Digest) -> (Record, Vec<Record>) {
        let recipe = store.export(&RecordId::new(RecordKind::Blob, *digest)).unwrap().unwrap();
        let (mut parts, mut open) = (HashMap::new(), recipe.needs().to_vec());
        while let Some(id) = open.pop() {
            let part = store.export(&id).unwrap().unwrap();
            open.extend(part.needs());
            parts.insert(id, part);
        }
        (recipe, parts.into_values().collect())
    }

    /// Brings a content in stretches of so many chunks, each with its parts, those behind no chunk first.
    fn bring(store: &Store, recipe: Record, parts: Vec<Record>, at_once: usize) -> Result<()> {
        let (pages, chunks): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.id().kind == RecordKind::Page);
        let by_id = pages.iter().map(|page| (page.id(), page.clone())).collect();
        let content = Arc::new(Incoming::new(recipe, &by_id)?);
        let count = content.chunks().len();
        let mut deliveries = VecDeque::from([Delivery { parts: pages, stretches: Vec::new() }]);
        let mut chunks: HashMap<RecordId, Record> = chunks.into_iter().map(|chunk| (chunk.id(), chunk)).collect();
        for start in (0..count.max(1)).step_by(at_once) {
            let range = start..count.min(start + at_once);
            let mut parts = Vec::new();
            let mut open: Vec<RecordId> =
                content.chunks().map(|(id, _)| id).collect::<Vec<_>>()[range.clone()].to_vec();
            while let Some(part) = open.pop() {
                if let Some(part) = chunks.remove(&part) {
                    open.extend(part.needs());
                    parts.push(part);
                }
            }
            deliveries.push_back(Delivery {
                parts,
                stretches: vec![Stretch { content: Arc::clone(&content), chunks: range }],
            });
        }
        take_in(&|| store.batch(), &mut || deliveries.pop_front())
    }

    fn is_clean(store: &Store) -> bool {
        let store = Store::open(store.root()).unwrap();
        store.verify(&mut |_, _| {}).unwrap().damaged.is_empty()
    }

    #[test]
    fn contents_of_every_form_come_in_stretches_of_any_length() {
        let (_here, here) = store();
        let text = b"id,v\n1,2\n".repeat(40_000);
        for content in [noise(1, 9 << 20), noise(2, 2 << 20), text, noise(3, 100_000), b"short".to_vec(), Vec::new()] {
            let info = here.put_bytes(&content).unwrap();
            for at_once in [1, 3, 1000] {
                let (_there, there) = store();
                let (recipe, parts) = exported(&here, &info.digest);
                bring(&there, recipe, parts, at_once).unwrap();
                assert_eq!(there.info(&info.digest).unwrap(), Some(info));
                assert!(there.read(&info.digest, u64::MAX).unwrap() == content);
                assert!(is_clean(&there));
            }
        }
    }

    #[test]
    fn differences_come_with_what_they_depend_on_or_find_it_here() {
        let (folder, here) = store();
        let mut text: Vec<u8> = noise(1, 60_000).iter().flat_map(|byte| format!("{byte},").into_bytes()).collect();
        let mut versions: Vec<(Digest, Vec<u8>)> = Vec::new();
        for number in 0..4 {
            text.splice(40_000..40_004, format!("<{number}>\n").into_bytes());
            let path = folder.path().join("text");
            std::fs::write(&path, &text).unwrap();
            let mut batch = here.batch();
            let info = batch.put_file_like(&path, versions.last().map(|(digest, _)| *digest), &mut |_| {}).unwrap();
            batch.commit().unwrap();
            versions.push((info.digest, text.clone()));
        }
        let depends =
            |(digest, _): &(Digest, Vec<u8>)| exported(&here, digest).1.iter().any(|part| part.base().is_some());
        assert_eq!(versions.iter().filter(|version| depends(version)).count(), 2);
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            let (_there, there) = store();
            for (digest, content) in order.map(|number| &versions[number]) {
                let (recipe, parts) = exported(&here, digest);
                bring(&there, recipe, parts, 1).unwrap();
                assert!(there.read(digest, u64::MAX).unwrap() == *content);
            }
            assert!(is_clean(&there));
        }
    }

    #[test]
    fn what_is_here_need_not_come_and_what_repeats_comes_once() {
        let (_folder, store) = store();
        let (first, second) = (noise(1, 200_000), noise(2, 300_000));
        let content = [&first[..], &second, &first].concat();
        let forged = recipe(&content, Sha256::of(&content), &[&first, &second, &first]);
        store.put_bytes(b"other").unwrap();
        bring(&store, forged.clone(), vec![chunk(&first)], 1).unwrap_err();
        assert!(!store.contains(&Digest::of(&content)), "a chunk is missing");
        // the one that came before the failure stays
        bring(&store, forged, vec![chunk(&second)], 1).unwrap();
        assert!(store.read(&Digest::of(&content), u64::MAX).unwrap() == content);
        assert!(is_clean(&store));
    }

    #[test]
    fn a_recipe_that_is_wrong_in_any_way_is_not_believed() {
        let (first, second) = (noise(1, 200_000), noise(2, 300_000));
        let content = [&first[..], &second].concat();
        let sha256 = Sha256::of(&content);
        let parts = || vec![chunk(&first), chunk(&second)];
        let wrong = [
            ("another SHA-256", recipe(&content, Sha256::of(b"other"), &[&first, &second])),
            ("another order", recipe(&content, sha256, &[&second, &first])),
            ("a chunk twice", recipe(&content, sha256, &[&first, &second, &second])),
            ("a chunk less", recipe(&content, sha256, &[&first])),
            ("none", recipe(&content, sha256, &[])),
        ];
        for (what, forged) in wrong {
            for at_once in [1, 10] {
                let (_folder, store) = store();
                let brought = bring(&store, forged.clone(), parts(), at_once);
                assert!(matches!(brought, Err(StoreError::Corrupt { .. })), "{what}");
                assert!(!store.contains(&Digest::of(&content)), "{what}");
                assert!(is_clean(&store), "{what}");
            }
        }
        // the lengths of two chunks, which together are right
        let digest = Digest::of(&content);
        let piece = |start: usize, end: usize, of: &[u8]| Piece {
            start: start as u64,
            len: (end - start) as u64,
            digest: Digest::of(of),
        };
        let layout = Layout::Chunks(vec![piece(0, 200_001, &first), piece(200_001, 500_000, &second)]);
        let payload = Recipe { size: 500_000, sha256, layout }.encode(digest);
        let forged = record(Kind::Blob, CODEC_RAW, digest, payload.len(), &payload);
        let (_folder, store) = store();
        assert!(matches!(bring(&store, forged, parts(), 10), Err(StoreError::Corrupt { .. })));
        assert!(!store.contains(&digest));
    }

    #[test]
    fn a_chunk_under_another_name_never_gets_in() {
        let (_folder, store) = store();
        let (right, other) = (noise(1, 200_000), noise(2, 200_000));
        let lie = record(Kind::Chunk, CODEC_RAW, Digest::of(&right), other.len(), &other);
        let content = [&right[..], b"end"].concat();
        let honest = recipe(&content, Sha256::of(&content), &[&right, b"end"]);
        let brought = bring(&store, honest, vec![lie, chunk(b"end")], 10);
        assert!(matches!(brought, Err(StoreError::Corrupt { digest, .. }) if digest == Digest::of(&right)));
        assert!(!store.index().has(Kind::Chunk, &Digest::of(&right)));
        assert!(is_clean(&store));
        // nobody is told that it is there when the right one is added
        let info = store.put_bytes(&right).unwrap();
        assert!(store.read(&info.digest, u64::MAX).unwrap() == right);
    }

    #[test]
    fn a_content_of_which_a_stretch_was_left_out_is_not_believed() {
        let (_folder, store) = store();
        let (first, second) = (noise(1, 200_000), noise(2, 300_000));
        let content = [&first[..], &second].concat();
        let honest = recipe(&content, Sha256::of(&content), &[&first, &second]);
        let content = Arc::new(Incoming::new(honest, &HashMap::new()).unwrap());
        // from where to where, one after the other
        for ranges in [[(1, 2)].as_slice(), &[(0, 1), (2, 2)], &[(2, 2)]] {
            let ranges = ranges.iter().map(|(start, end)| *start..*end);
            let stretches = ranges.map(|chunks| Stretch { content: Arc::clone(&content), chunks });
            let mut deliveries =
                vec![Delivery { parts: vec![chunk(&first), chunk(&second)], stretches: stretches.collect() }];
            let taken = take_in(&|| store.batch(), &mut || deliveries.pop());
            assert!(matches!(taken, Err(StoreError::Corrupt { .. })));
            assert!(!store.contains(&content.digest()));
        }
    }

    #[test]
    fn a_recipe_in_pages_is_read_by_them() {
        let (_folder, store) = store();
        let chunks: Vec<Vec<u8>> = (0..PAGE_CHUNKS + 100).map(|number| number.to_string().into_bytes()).collect();
        let content = chunks.concat();
        let (mut start, mut pages, mut listed) = (0, Vec::new(), Vec::new());
        for group in chunks.chunks(PAGE_CHUNKS) {
            let begin = start;
            let pieces = group.iter().map(|chunk| {
                let piece = Piece { start, len: chunk.len() as u64, digest: Digest::of(chunk) };
                start += piece.len;
                piece
            });
            let payload = encode_page(&pieces.collect::<Vec<_>>());
            let digest = Digest::of(&payload);
            listed.push(Piece { start: begin, len: start - begin, digest });
            pages.push(record(Kind::Page, CODEC_RAW, digest, payload.len(), &payload));
        }
        let digest = Digest::of(&content);
        let paged = Recipe { size: start, sha256: Sha256::of(&content), layout: Layout::Pages(listed) };
        let payload = paged.encode(digest);
        let paged = record(Kind::Blob, CODEC_RAW, digest, payload.len(), &payload);
        let parts: Vec<Record> = chunks.iter().map(|bytes| chunk(bytes)).chain(pages).collect();
        let without_page = parts[..parts.len() - 1].to_vec();
        assert!(bring(&store, paged.clone(), without_page, 1000).is_err());
        bring(&store, paged, parts, 1000).unwrap();
        assert!(store.read(&digest, u64::MAX).unwrap() == content);
        assert!(is_clean(&store));
    }

    /// A difference without any change, at a depth that is claimed.
    fn delta(plain: &[u8], base: &[u8], depth: usize) -> Record {
        let mut payload = vec![depth as u8];
        payload.extend_from_slice(Digest::of(base).as_bytes());
        payload.extend(zstd::bulk::compress(plain, 1).unwrap());
        record(Kind::Chunk, CODEC_ZSTD_DELTA, Digest::of(plain), plain.len(), &payload)
    }

    /// A content of one chunk, which is a difference to another one, and so on.
    fn chain(length: usize) -> (Vec<u8>, Record, Vec<Record>) {
        let line = |number: usize| format!("{number} ").repeat(100).into_bytes();
        let mut parts = vec![chunk(&line(0))];
        parts.extend((1..=length).map(|number| delta(&line(number), &line(number - 1), number.min(250))));
        let content = line(length);
        let honest = recipe(&content, Sha256::of(&content), &[&content]);
        (content, honest, parts)
    }

    #[test]
    fn differences_to_differences_are_kept_so_that_they_can_be_read() {
        for length in [1, 2, 3, 5, usize::from(READ_DEPTH_MAX)] {
            let (_folder, store) = store();
            let (content, honest, parts) = chain(length);
            let chunks: Vec<Digest> = parts.iter().map(|part| part.id().digest).collect();
            bring(&store, honest, parts, 10).unwrap();
            assert!(store.read(&Digest::of(&content), u64::MAX).unwrap() == content);
            assert!(is_clean(&store));
            let depths = chunks.iter().map(|chunk| read_base(&store, chunk).unwrap().unwrap().depth);
            assert!(depths.max() <= Some(DEPTH_MAX));
        }
    }

    #[test]
    fn differences_to_differences_without_end_are_refused() {
        let (_folder, store) = store();
        let (content, honest, parts) = chain(1000);
        assert!(matches!(bring(&store, honest, parts, 10), Err(StoreError::Corrupt { .. })));
        assert!(!store.contains(&Digest::of(&content)));
        assert!(is_clean(&store));
    }

    #[test]
    fn differences_in_a_circle_are_refused() {
        let (_folder, store) = store();
        let (one, two) = (b"one ".repeat(100), b"two ".repeat(100));
        let honest = recipe(&one, Sha256::of(&one), &[&one]);
        let brought = bring(&store, honest, vec![delta(&one, &two, 1), delta(&two, &one, 1)], 10);
        assert!(matches!(brought, Err(StoreError::Corrupt { .. })));
        assert!(is_clean(&store));
    }

    #[test]
    fn a_failure_keeps_what_came_before_it() {
        let (_folder, store) = store();
        let (first, second) = (noise(1, 200_000), noise(2, 300_000));
        let bad = record(Kind::Chunk, CODEC_RAW, Digest::of(&second), 300_000, &noise(3, 300_000));
        let mut deliveries = VecDeque::from([vec![chunk(&first)], vec![bad], vec![chunk(b"never seen")]]);
        let mut next = || deliveries.pop_front().map(|parts| Delivery { parts, stretches: Vec::new() });
        take_in(&|| store.batch(), &mut next).unwrap_err();
        let store = Store::open(store.root()).unwrap();
        assert!(store.index().has(Kind::Chunk, &Digest::of(&first)));
        assert!(!store.index().has(Kind::Chunk, &Digest::of(&second)));
    }
}
