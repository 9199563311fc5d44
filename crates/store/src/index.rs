//! What this process knows about all packs, and the files behind it.
//!
//! The index is only ever behind what other processes have committed: a name that is not found makes it look at
//! the folder again.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use stemma_core::{Digest, Sha256};

use crate::{
    codec::{self, DEPENDENCY_LEN, Dependency},
    direct,
    error::{IoContext as _, Result, StoreError},
    gc::marks::Marks,
    pack::{self, Adoption, Found, PackId, PackWriter, SEAL_AT, Scan},
    pack_index::PackIndex,
    record::{CODEC_INLINE, HEADER_LEN, Header, HeaderFault, Kind, PAYLOAD_MAX},
};

/// Pack files kept open for reading.
const OPEN_FILES_MAX: usize = 64;

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pack: u32,
    stored: u32,
    codec: u8,
    pub offset: u64,
}

/// A blob or tree in the index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content {
    place: Place,
    pub size: u64,
    pub sha256: Sha256,
}

impl Content {
    /// Whether the content is in its recipe, so that there is nothing else to look for.
    pub fn is_inline(&self) -> bool {
        self.place.codec == CODEC_INLINE
    }
}

struct Pack {
    id: PackId,
    /// End of the last group that is known.
    committed_end: u64,
    /// Up to here this process knows the pack to be on disk.
    synced_end: u64,
    /// Nobody writes to it any more, and all of it is on disk.
    sealed: bool,
    /// This process knows the file's name to be on disk.
    name_synced: bool,
    gone: bool,
}

#[derive(Default)]
struct State {
    packs: Vec<Pack>,
    by_id: HashMap<PackId, u32>,
    chunks: HashMap<Digest, Place>,
    pages: HashMap<Digest, Place>,
    blobs: HashMap<Digest, Content>,
    trees: HashMap<Digest, Content>,
    sha256: HashMap<Sha256, Digest>,
    /// Further copies of records, written by processes that did not see each other or over a damaged one.
    copies: HashMap<(Kind, Digest), Vec<Place>>,
    /// Records of which no good copy was found when they were last read.
    damaged: HashSet<(Kind, Digest)>,
}

pub(crate) struct Index {
    dir: PathBuf,
    state: RwLock<State>,
    refreshing: Mutex<()>,
    files: Mutex<Vec<(u32, Arc<PackFile>)>>,
}

/// A pack opened for reading, through the page cache and past it.
struct PackFile {
    plain: File,
    direct: Option<File>,
}

/// Whether a copy of a record is a delta, and the pack and offset where it lies.
pub(crate) type CopyPlace = (bool, PackId, u64);

/// What somebody who adds content goes by, and what of it must be on disk before it counts.
pub(crate) struct Reliance<'a> {
    pub marks: &'a Marks,
    /// Records that are being added together.
    pub pending: &'a HashSet<(Kind, Digest)>,
    pub unsynced: &'a mut HashSet<PackId>,
}

/// Why a record could not be read from one place.
pub(crate) enum RecordFault {
    Damaged(String),
    Other(StoreError),
}

impl Index {
    pub fn open(root: &Path) -> Result<Self> {
        let dir = root.join("packs");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).at(&dir)?;
        let index = Self { dir, state: RwLock::default(), refreshing: Mutex::default(), files: Mutex::default() };
        index.refresh()?;
        Ok(index)
    }

    // A panic while a lock is held leaves maps that are at worst behind the files; going on is right.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> MutexGuard<'_, Vec<(u32, Arc<PackFile>)>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- questions -------------------------------------------------------------------------------------------

    pub fn content(&self, kind: Kind, digest: &Digest) -> Option<Content> {
        self.read().contents(kind).get(digest).copied()
    }

    pub fn by_sha256(&self, sha256: &Sha256) -> Option<Digest> {
        self.read().sha256.get(sha256).copied()
    }

    pub fn contents(&self, kind: Kind) -> Vec<(Digest, Content)> {
        let state = self.read();
        state.contents(kind).iter().map(|(digest, content)| (*digest, *content)).collect()
    }

    /// Whether a record need not be written again: there is a copy without a mark, and if that is a delta, the same
    /// holds for what it depends on (`pending` are records on their way). Where such a copy may not be on disk yet, its
    /// pack is added to `unsynced`.
    pub fn holds(&self, record: (Kind, Digest), reliance: &mut Reliance<'_>) -> bool {
        self.holds_within(record, reliance, codec::DEPTH_MAX)
    }

    fn holds_within(&self, record: (Kind, Digest), reliance: &mut Reliance<'_>, deltas_max: u8) -> bool {
        if self.read().damaged.contains(&record) {
            return false;
        }
        self.places(record.0, &record.1).into_iter().any(|place| {
            let (id, is_on_disk) = {
                let pack = &self.read().packs[place.pack as usize];
                (pack.id, pack.sealed || place.offset < pack.synced_end)
            };
            if reliance.marks.get(id, place.offset).is_some()
                || !self.base_holds(&record.1, place, reliance, deltas_max)
            {
                return false;
            }
            if !is_on_disk {
                reliance.unsynced.insert(id);
            }
            true
        })
    }

    /// Whether what a copy depends on is held too; true for one that depends on nothing.
    fn base_holds(&self, chunk: &Digest, place: Place, reliance: &mut Reliance<'_>, deltas_max: u8) -> bool {
        if !codec::is_delta(place.codec) {
            return true;
        }
        let (Some(deltas_max), Ok(Some(base))) = (deltas_max.checked_sub(1), self.base_at(chunk, place)) else {
            return false;
        };
        let base = (Kind::Chunk, base);
        reliance.pending.contains(&base) || self.holds_within(base, reliance, deltas_max)
    }

    /// A copy of a record outside of a pack that nothing is going to remove and that `accept` finds good.
    pub fn another_copy(
        &self,
        record: (Kind, Digest),
        outside: PackId,
        marks: &Marks,
        accept: impl Fn(&Header, Vec<u8>) -> bool,
    ) -> Option<PackId> {
        self.places(record.0, &record.1).into_iter().find_map(|place| {
            let id = self.read().packs[place.pack as usize].id;
            if id == outside || marks.get(id, place.offset).is_some() {
                return None;
            }
            let (header, payload) = self.record_at(record.0, &record.1, place).ok()?;
            accept(&header, payload).then_some(id)
        })
    }

    fn places(&self, kind: Kind, digest: &Digest) -> Vec<Place> {
        let state = self.read();
        let copies = state.copies.get(&(kind, *digest)).into_iter().flatten();
        let mut places: Vec<Place> = state.place(kind, digest).into_iter().chain(copies.copied()).collect();
        // what another recipe lists may be gone
        places.sort_by_key(|place| place.codec != CODEC_INLINE);
        places
    }

    pub fn has(&self, kind: Kind, digest: &Digest) -> bool {
        self.read().place(kind, digest).is_some()
    }

    /// Bytes that a record takes in its pack; 0 if there is none of this name.
    pub fn stored_len(&self, kind: Kind, digest: &Digest) -> u64 {
        self.read().place(kind, digest).map_or(0, |place| HEADER_LEN as u64 + u64::from(place.stored))
    }

    /// The chunks that copies of a chunk are kept as differences to.
    pub fn bases(&self, chunk: &Digest) -> Result<Vec<Digest>> {
        let mut bases = Vec::new();
        for place in self.places(Kind::Chunk, chunk) {
            if codec::is_delta(place.codec) {
                bases.extend(self.base_at(chunk, place)?);
            }
        }
        Ok(bases)
    }

    /// What the copy of a delta at this place depends on; `None` if that can't be told.
    fn base_at(&self, chunk: &Digest, place: Place) -> Result<Option<Digest>> {
        let (Some(file), path) = self.file(place.pack)? else {
            return Ok(None);
        };
        let mut bytes = [0; HEADER_LEN + DEPENDENCY_LEN];
        match direct::read_exact_at(&file.plain, file.direct.as_ref(), &mut bytes, place.offset) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(StoreError::io(&path, error)),
        }
        let id = self.read().packs[place.pack as usize].id;
        let header = Header::parse(&bytes[..HEADER_LEN], id, place.offset).ok();
        let header = header.filter(|header| header.kind == Kind::Chunk && header.digest == *chunk);
        Ok(header.and_then(|header| Dependency::of(header.codec, &bytes[HEADER_LEN..])).map(|found| found.base))
    }

    /// All copies of chunks that are deltas, and the packs they lie in.
    pub fn deltas(&self) -> Vec<(Digest, PackId)> {
        let state = self.read();
        let copies = state.copies.iter().filter(|(key, _)| key.0 == Kind::Chunk);
        let copies = copies.flat_map(|(key, places)| places.iter().map(|place| (key.1, *place)));
        let all = state.chunks.iter().map(|(digest, place)| (*digest, *place)).chain(copies);
        let deltas = all.filter(|(_, place)| codec::is_delta(place.codec));
        deltas.map(|(digest, place)| (digest, state.packs[place.pack as usize].id)).collect()
    }

    /// All names of a kind of record.
    pub fn names(&self, kind: Kind) -> Vec<Digest> {
        self.contents(kind).into_iter().map(|(digest, _)| digest).collect()
    }

    /// Visits every copy of every record: kind, name, pack, offset, and length of the payload. Must not ask the index.
    pub fn each_copy(&self, visit: &mut dyn FnMut(Kind, &Digest, PackId, u64, u32)) {
        let state = self.read();
        let mut visit_place = |kind, digest: &Digest, place: &Place| {
            visit(kind, digest, state.packs[place.pack as usize].id, place.offset, place.stored);
        };
        state.chunks.iter().for_each(|(digest, place)| visit_place(Kind::Chunk, digest, place));
        state.pages.iter().for_each(|(digest, place)| visit_place(Kind::Page, digest, place));
        state.blobs.iter().for_each(|(digest, content)| visit_place(Kind::Blob, digest, &content.place));
        state.trees.iter().for_each(|(digest, content)| visit_place(Kind::Tree, digest, &content.place));
        for ((kind, digest), places) in &state.copies {
            places.iter().for_each(|place| visit_place(*kind, digest, place));
        }
    }

    /// All places of the records that have several.
    pub fn copies(&self) -> HashMap<(Kind, Digest), Vec<CopyPlace>> {
        let state = self.read();
        let shown = |place: &Place| (codec::is_delta(place.codec), state.packs[place.pack as usize].id, place.offset);
        let all = |(key, copies): (&(Kind, Digest), &Vec<Place>)| {
            let first = state.place(key.0, &key.1);
            (*key, first.iter().chain(copies).map(shown).collect())
        };
        state.copies.iter().map(all).collect()
    }

    /// Packs and offsets of all copies of a record.
    pub fn places_of(&self, kind: Kind, digest: &Digest) -> Vec<(PackId, u64)> {
        let places = self.places(kind, digest);
        let state = self.read();
        places.into_iter().map(|place| (state.packs[place.pack as usize].id, place.offset)).collect()
    }

    /// All packs that are there, and where their last known group ends.
    pub fn packs(&self) -> Vec<(PackId, u64)> {
        let state = self.read();
        state.packs.iter().filter(|pack| !pack.gone).map(|pack| (pack.id, pack.committed_end)).collect()
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    // ---- reading records -------------------------------------------------------------------------------------

    /// Reads a record and makes something of it; tries all copies, and what other processes added since.
    ///
    /// `None` if there is no such record. `make` gets header and payload whose checks hold.
    pub fn fetch<T>(
        &self,
        kind: Kind,
        digest: &Digest,
        make: impl Fn(&Header, Vec<u8>) -> std::result::Result<T, RecordFault>,
    ) -> Result<Option<T>> {
        let mut tried = Vec::new();
        let mut fault = None;
        for attempt in 0..READ_ATTEMPTS {
            if attempt > 0 {
                self.refresh()?;
            }
            let untried = self.places(kind, digest).into_iter().filter(|place| !tried.contains(place));
            let untried: Vec<Place> = untried.collect();
            if attempt > 0 && untried.is_empty() {
                break;
            }
            for place in untried {
                tried.push(place);
                match self.record_at(kind, digest, place).and_then(|(header, payload)| make(&header, payload)) {
                    Ok(made) => return Ok(Some(made)),
                    Err(next) => fault = Some(next),
                }
            }
        }
        match fault {
            None => Ok(None),
            Some(RecordFault::Other(error)) => Err(error),
            Some(RecordFault::Damaged(what)) => {
                self.write().damaged.insert((kind, *digest));
                Err(StoreError::corrupt(*digest, what))
            }
        }
    }

    /// The copy of a record at a place, if it is whole.
    pub fn copy_at(&self, record: (Kind, Digest), pack: PackId, offset: u64) -> Option<(Header, Vec<u8>)> {
        let (kind, digest) = record;
        let is_there = |place: &Place| place.offset == offset && self.read().packs[place.pack as usize].id == pack;
        let place = self.places(kind, &digest).into_iter().find(is_there)?;
        self.record_at(kind, &digest, place).ok()
    }

    fn record_at(
        &self,
        kind: Kind,
        digest: &Digest,
        place: Place,
    ) -> std::result::Result<(Header, Vec<u8>), RecordFault> {
        let damaged = |what: &str| {
            let id = self.read().packs[place.pack as usize].id;
            RecordFault::Damaged(format!("{what} (pack {id}, byte {})", place.offset))
        };
        if u64::from(place.stored) > PAYLOAD_MAX {
            return Err(damaged("it has an impossible length"));
        }
        let (file, path) = self.file(place.pack).map_err(RecordFault::Other)?;
        let Some(file) = file else {
            return Err(damaged("its pack is missing"));
        };
        let mut bytes = vec![0; HEADER_LEN + place.stored as usize];
        match direct::read_exact_at(&file.plain, file.direct.as_ref(), &mut bytes, place.offset) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(damaged("its pack ends before it"));
            }
            Err(error) => return Err(RecordFault::Other(StoreError::io(&path, error))),
        }
        let payload = bytes.split_off(HEADER_LEN);
        let id = self.read().packs[place.pack as usize].id;
        let header = match Header::parse(&bytes, id, place.offset) {
            Ok(header) => header,
            Err(HeaderFault::NotARecord) => return Err(damaged("its record header is damaged")),
            Err(HeaderFault::Unknown(version)) => {
                let (what, version) = ("record kind", version.into());
                return Err(RecordFault::Other(StoreError::UnsupportedVersion { path, what, version }));
            }
        };
        if header.kind != kind || header.digest != *digest || !header.payload_is_whole(&payload) {
            return Err(damaged("its stored bytes do not match their check"));
        }
        Ok((header, payload))
    }

    /// The pack's file, opened for reading; `None` if it is gone.
    fn file(&self, pack: u32) -> Result<(Option<Arc<PackFile>>, PathBuf)> {
        let path = self.read().packs[pack as usize].id.pack_path(&self.dir);
        let mut files = self.files();
        if let Some(index) = files.iter().position(|(number, _)| *number == pack) {
            let entry = files.remove(index);
            files.push(entry.clone());
            return Ok((Some(entry.1), path));
        }
        let file = match File::open(&path) {
            Ok(plain) => Arc::new(PackFile { plain, direct: direct::open(&path) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, path)),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        if files.len() == OPEN_FILES_MAX {
            files.remove(0);
        }
        files.push((pack, Arc::clone(&file)));
        Ok((Some(file), path))
    }

    // ---- following other processes ---------------------------------------------------------------------------

    /// Looks at the folder for what other processes have committed since.
    pub fn refresh(&self) -> Result<()> {
        let _one_at_a_time = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        // Where a pack went away its records were copied into another one before, which a listing that was begun
        // earlier may not have.
        for _ in 0..REFRESH_ROUNDS {
            if self.follow_folder()? == Look::Complete {
                break;
            }
        }
        Ok(())
    }

    fn follow_folder(&self) -> Result<Look> {
        let known: Vec<PackId> = self.packs().into_iter().map(|(id, _)| id).collect();
        let listing = Listing::read(&self.dir)?;
        let gone: HashSet<PackId> = known.into_iter().filter(|id| !listing.packs.contains(id)).collect();
        let mut look = if gone.is_empty() { Look::Complete } else { Look::PackGone };
        for id in &listing.packs {
            let followed = match self.known(*id) {
                Some(Known { sealed: true, .. }) => Look::Complete,
                _ if listing.indexes.contains(id) => self.load_sealed(*id)?,
                known => self.follow(*id, known.map_or(0, |known| known.committed_end))?,
            };
            if followed == Look::PackGone {
                look = Look::PackGone;
            }
        }
        // only now, so that what was moved is never absent in between
        self.forget(gone);
        Ok(look)
    }

    fn known(&self, id: PackId) -> Option<Known> {
        let state = self.read();
        let pack = &state.packs[*state.by_id.get(&id)? as usize];
        Some(Known { committed_end: pack.committed_end, sealed: pack.sealed })
    }

    /// Reads what was appended to a pack that is still open.
    fn follow(&self, id: PackId, committed_end: u64) -> Result<Look> {
        let path = id.pack_path(&self.dir);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::PackGone),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        let committed_end = self.catch_up(id, &file, &path, committed_end)?;
        let len = file.metadata().at(&path)?.len();
        // What lies behind the last group is work in progress if somebody holds the lock.
        if (committed_end < SEAL_AT && len <= committed_end) || file.try_lock().is_err() {
            return Ok(Look::Complete);
        }
        self.finish_dead(id, &file, &path, committed_end)?;
        Ok(Look::Complete)
    }

    /// Tidies up behind a writer that died. The caller holds the pack's lock.
    fn finish_dead(&self, id: PackId, file: &File, path: &Path, committed_end: u64) -> Result<()> {
        if pack::is_unlinked(file, path)? {
            return Ok(());
        }
        let committed_end = self.catch_up(id, file, path, committed_end)?;
        if committed_end >= SEAL_AT {
            // its writer died between the last commit and the index
            return self.close(id, file);
        }
        let len = file.metadata().at(path)?.len();
        let tail = pack::salvage(file, path, id, committed_end, len)?;
        if tail.last_commit_end.is_some() {
            return self.close(id, file);
        }
        if len > committed_end {
            // The rest of a crash. It does no harm, so being unable to cut it off does none either.
            let _ = File::options().write(true).open(path).and_then(|file| file.set_len(committed_end));
        }
        Ok(())
    }

    fn catch_up(&self, id: PackId, file: &File, path: &Path, committed_end: u64) -> Result<u64> {
        let scan = pack::scan(file, path, id, committed_end)?;
        self.absorb(id, scan.records, scan.committed_end);
        Ok(scan.committed_end)
    }

    /// Takes in a pack by its index, or makes the index anew.
    fn load_sealed(&self, id: PackId) -> Result<Look> {
        if let Some(index) = PackIndex::load(&self.dir, id)? {
            self.absorb(id, index.records, index.committed_end);
            self.mark_sealed(id);
            return Ok(Look::Complete);
        }
        let path = id.pack_path(&self.dir);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::PackGone),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        if file.try_lock().is_ok() {
            if pack::is_unlinked(&file, &path)? {
                return Ok(Look::PackGone);
            }
            self.close(id, &file)?;
        } else {
            // whoever holds the lock is writing the index
            let Scan { records, committed_end, .. } = pack::survey(&file, &path, id)?;
            self.absorb(id, records, committed_end);
        }
        self.mark_sealed(id);
        Ok(Look::Complete)
    }

    /// Ends a pack: nobody will append to it once it has an index. The caller holds its lock.
    fn close(&self, id: PackId, file: &File) -> Result<()> {
        let path = id.pack_path(&self.dir);
        let Scan { records, committed_end, .. } = pack::survey(file, &path, id)?;
        self.absorb(id, records.clone(), committed_end);
        file.sync_data().at(&path)?;
        // without an index the pack is only slower to open; a full or read-only disk must not stop a reader
        if (PackIndex { records, committed_end }).write(&self.dir, id).is_ok() {
            self.mark_sealed(id);
        }
        Ok(())
    }

    fn absorb(&self, id: PackId, records: Vec<Found>, committed_end: u64) {
        let mut state = self.write();
        let number = state.pack_number(id);
        state.reserve(&records);
        for found in records {
            state.insert(number, found);
        }
        let pack = &mut state.packs[number as usize];
        pack.committed_end = pack.committed_end.max(committed_end);
    }

    fn mark_sealed(&self, id: PackId) {
        let mut state = self.write();
        let number = state.pack_number(id);
        state.packs[number as usize].sealed = true;
    }

    pub fn forget(&self, ids: HashSet<PackId>) {
        if ids.is_empty() {
            return;
        }
        let mut state = self.write();
        state.forget(&ids);
        let gone: HashSet<u32> = (0..).zip(&state.packs).filter(|(_, p)| p.gone).map(|(n, _)| n).collect();
        self.files().retain(|(number, _)| !gone.contains(number));
    }

    // ---- writing ---------------------------------------------------------------------------------------------

    /// Finds a pack that is open and not locked, or makes one.
    ///
    /// So there are never more open packs than there were writers at once, however many batches they commit.
    pub fn writer(&self) -> Result<Box<PackWriter>> {
        for attempt in 0..ADOPTION_ATTEMPTS {
            if attempt == 1 {
                self.refresh()?;
            } else if attempt > 1 {
                let id = PackWriter::create_file(&self.dir)?;
                self.absorb(id, Vec::new(), 0);
            }
            for id in self.open_packs() {
                if let Some(writer) = self.adopt(id)? {
                    return Ok(writer);
                }
            }
        }
        let busy = io::Error::new(io::ErrorKind::WouldBlock, "every new pack was taken by another writer");
        Err(StoreError::io(&self.dir, busy))
    }

    /// Makes a pack that nobody else has written to.
    pub fn writer_of_new_pack(&self) -> Result<Box<PackWriter>> {
        for _ in 0..ADOPTION_ATTEMPTS {
            let id = PackWriter::create_file(&self.dir)?;
            self.absorb(id, Vec::new(), 0);
            if let Some(writer) = self.adopt(id)?
                && writer.is_empty()
            {
                return Ok(writer);
            }
        }
        let busy = io::Error::new(io::ErrorKind::WouldBlock, "every new pack was taken by another writer");
        Err(StoreError::io(&self.dir, busy))
    }

    fn open_packs(&self) -> Vec<PackId> {
        let state = self.read();
        let open = state.packs.iter().filter(|pack| !pack.sealed && !pack.gone && pack.committed_end < SEAL_AT);
        let mut ids: Vec<PackId> = open.map(|pack| pack.id).collect();
        ids.sort_unstable();
        ids
    }

    fn adopt(&self, id: PackId) -> Result<Option<Box<PackWriter>>> {
        let known_end = self.known(id).map_or(0, |known| known.committed_end);
        let mut seen = Scan::default();
        let adoption = PackWriter::adopt(&self.dir, id, known_end, &mut seen)?;
        self.absorb(id, seen.records, seen.committed_end);
        match adoption {
            Adoption::Writer(writer) => {
                self.sync_name(id)?;
                Ok(Some(writer))
            }
            Adoption::Taken => Ok(None),
            Adoption::Damaged(locked) => {
                self.close(id, &locked)?;
                Ok(None)
            }
            Adoption::Closed => {
                if id.index_path(&self.dir).exists() {
                    self.load_sealed(id)?;
                }
                Ok(None)
            }
        }
    }

    /// Makes a pack's name, and the folders above it, survive a power loss before the first record is acknowledged:
    /// their maker may have died too early to do it.
    fn sync_name(&self, id: PackId) -> Result<()> {
        let number = self.write().pack_number(id) as usize;
        if self.read().packs[number].name_synced {
            return Ok(());
        }
        for folder in self.dir.ancestors().take(3) {
            let is_here = folder.as_os_str().is_empty();
            pack::sync_dir(if is_here { Path::new(".") } else { folder })?;
        }
        self.write().packs[number].name_synced = true;
        Ok(())
    }

    /// Commits what the writer appended, and ends the pack if it is long enough.
    pub fn commit(&self, writer: &mut PackWriter) -> Result<()> {
        let records = writer.commit()?;
        self.absorb(writer.id, records, writer.len());
        self.mark_synced(writer.id, writer.len());
        if writer.len() >= SEAL_AT {
            self.close(writer.id, writer.file())?;
        }
        Ok(())
    }

    /// Makes the groups of another writer's open pack survive a power loss: that writer may be between its commit
    /// record and the disk.
    pub fn sync_pack(&self, id: PackId) -> Result<()> {
        let Some(known) = self.known(id) else {
            return Ok(());
        };
        let path = id.pack_path(&self.dir);
        match File::open(&path).and_then(|file| file.sync_data()) {
            Ok(()) => {}
            // a collection removed it after bringing to disk elsewhere what somebody may rely on
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StoreError::io(&path, error)),
        }
        self.mark_synced(id, known.committed_end);
        Ok(())
    }

    fn mark_synced(&self, id: PackId, end: u64) {
        let mut state = self.write();
        let number = state.pack_number(id);
        let pack = &mut state.packs[number as usize];
        pack.synced_end = pack.synced_end.max(end);
    }
}

/// One look without the folder, one after reading it, the rest because collections moved the record meanwhile.
const READ_ATTEMPTS: usize = 10;
/// As often the folder is read again because a pack went away meanwhile.
const REFRESH_ROUNDS: usize = 10;

/// One look without the folder, one after reading it, the rest with a new pack each.
const ADOPTION_ATTEMPTS: usize = 100;

/// Whether all of the folder was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Complete,
    /// A pack went away, since the last look or during this one.
    PackGone,
}

struct Known {
    committed_end: u64,
    sealed: bool,
}

#[derive(Default)]
struct Listing {
    packs: HashSet<PackId>,
    indexes: HashSet<PackId>,
}

impl Listing {
    fn read(dir: &Path) -> Result<Self> {
        let mut listing = Self::default();
        for entry in fs::read_dir(dir).at(dir)? {
            let name = entry.at(dir)?.file_name();
            let Some((stem, extension)) = name.to_str().and_then(|name| name.split_once('.')) else {
                continue;
            };
            let Ok(id) = stem.parse() else { continue };
            match extension {
                "pack" => listing.packs.insert(id),
                "idx" => listing.indexes.insert(id),
                _ => continue,
            };
        }
        Ok(listing)
    }
}

impl State {
    fn contents(&self, kind: Kind) -> &HashMap<Digest, Content> {
        match kind {
            Kind::Tree => &self.trees,
            _ => &self.blobs,
        }
    }

    fn place(&self, kind: Kind, digest: &Digest) -> Option<Place> {
        match kind {
            Kind::Chunk => self.chunks.get(digest).copied(),
            Kind::Page => self.pages.get(digest).copied(),
            Kind::Blob | Kind::Tree => self.contents(kind).get(digest).map(|content| content.place),
            Kind::Commit => None,
        }
    }

    fn place_mut(&mut self, kind: Kind, digest: &Digest) -> Option<&mut Place> {
        match kind {
            Kind::Chunk => self.chunks.get_mut(digest),
            Kind::Page => self.pages.get_mut(digest),
            Kind::Blob => self.blobs.get_mut(digest).map(|content| &mut content.place),
            Kind::Tree => self.trees.get_mut(digest).map(|content| &mut content.place),
            Kind::Commit => None,
        }
    }

    fn pack_number(&mut self, id: PackId) -> u32 {
        if let Some(number) = self.by_id.get(&id) {
            return *number;
        }
        let number = u32::try_from(self.packs.len()).expect("2^32 packs fit no disk");
        self.packs.push(Pack { id, committed_end: 0, synced_end: 0, sealed: false, name_synced: false, gone: false });
        self.by_id.insert(id, number);
        number
    }

    /// Makes room at once: growing step by step would move every entry several times.
    fn reserve(&mut self, records: &[Found]) {
        let count = |kind| records.iter().filter(|found| found.kind == kind).count();
        self.chunks.reserve(count(Kind::Chunk));
        self.blobs.reserve(count(Kind::Blob));
        self.sha256.reserve(count(Kind::Blob));
    }

    fn insert(&mut self, pack: u32, found: Found) {
        let key = (found.kind, found.digest);
        let place = Place { pack, stored: found.stored, codec: found.codec, offset: found.offset };
        match self.place_mut(found.kind, &found.digest) {
            Some(held) if *held == place => {}
            Some(_) => {
                let other = if self.damaged.remove(&key) {
                    // written anew because the held one is damaged
                    std::mem::replace(self.place_mut(key.0, &key.1).expect("it was there above"), place)
                } else {
                    place
                };
                let copies = self.copies.entry(key).or_default();
                if !copies.contains(&other) {
                    copies.push(other);
                }
            }
            None => self.insert_first(found, place),
        }
    }

    fn insert_first(&mut self, found: Found, place: Place) {
        match (found.kind, found.content) {
            (Kind::Chunk, _) => {
                self.chunks.insert(found.digest, place);
            }
            (Kind::Page, _) => {
                self.pages.insert(found.digest, place);
            }
            (Kind::Blob, Some((size, sha256))) => {
                self.blobs.insert(found.digest, Content { place, size, sha256 });
                self.sha256.insert(sha256, found.digest);
            }
            (Kind::Tree, Some((size, sha256))) => {
                self.trees.insert(found.digest, Content { place, size, sha256 });
            }
            (Kind::Blob | Kind::Tree | Kind::Commit, _) => {}
        }
    }

    fn forget(&mut self, ids: &HashSet<PackId>) {
        for id in ids {
            if let Some(number) = self.by_id.remove(id) {
                self.packs[number as usize].gone = true;
            }
        }
        let mut copies = std::mem::take(&mut self.copies);
        for ((kind, digest), places) in &mut copies {
            places.retain(|place| !self.packs[place.pack as usize].gone);
            let held_is_gone = self.place(*kind, digest).is_some_and(|held| self.packs[held.pack as usize].gone);
            if held_is_gone && let Some(place) = places.pop() {
                *self.place_mut(*kind, digest).expect("it was there above") = place;
            }
        }
        copies.retain(|_, places| !places.is_empty());
        self.copies = copies;
        let packs = &self.packs;
        let is_there = |place: &Place| !packs[place.pack as usize].gone;
        self.chunks.retain(|_, place| is_there(place));
        self.pages.retain(|_, place| is_there(place));
        self.blobs.retain(|_, content| is_there(&content.place));
        self.trees.retain(|_, content| is_there(&content.place));
        let blobs = &self.blobs;
        self.sha256.retain(|_, digest| blobs.contains_key(digest));
    }
}
