//! What the threads of a process share: the maps behind a lock, the answers from them, and the files that are open.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use stemma_core::{Digest, Sha256};

use super::state::{CopyPlace, IndexedContent, PackPlace, State};
use crate::{
    error::{Result, StoreError},
    fs::direct::DirectReader,
    pack::{Kind, PackId, Scan, is_delta},
};

/// Pack files kept open for reading.
const OPEN_FILES_MAX: usize = 64;

/// What this process knows of the packs in a folder.
pub(crate) struct Index {
    dir: PathBuf,
    state: RwLock<State>,
    refreshing: Mutex<()>,
    files: Mutex<Vec<(u32, Arc<DirectReader>)>>,
}

pub(super) struct Known {
    pub committed_end: u64,
    pub sealed: bool,
}

impl Index {
    /// Knows nothing yet.
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, state: RwLock::default(), refreshing: Mutex::default(), files: Mutex::default() }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    // A panic while a lock is held leaves maps that are at worst behind the files; going on is right.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> MutexGuard<'_, Vec<(u32, Arc<DirectReader>)>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets one thread at a time look at the folder.
    pub(super) fn begin_refresh(&self) -> MutexGuard<'_, ()> {
        self.refreshing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is found, and the files that it is found in.
impl Index {
    pub(super) fn known(&self, id: PackId) -> Option<Known> {
        let state = self.read();
        let pack = &state.packs[*state.by_id.get(&id)? as usize];
        Some(Known { committed_end: pack.committed_end, sealed: pack.sealed })
    }

    pub(super) fn absorb(&self, id: PackId, scan: Scan) {
        self.write().absorb(id, scan);
    }

    pub(super) fn mark_sealed(&self, id: PackId) {
        let mut state = self.write();
        let number = state.pack_number(id);
        state.packs[number as usize].sealed = true;
    }

    pub(super) fn mark_synced(&self, id: PackId, end: u64) {
        let mut state = self.write();
        let number = state.pack_number(id);
        let pack = &mut state.packs[number as usize];
        pack.synced_end = pack.synced_end.max(end);
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

    /// The pack's file, opened for reading; `None` if it is gone.
    pub(super) fn file(&self, pack: u32) -> Result<(Option<Arc<DirectReader>>, PathBuf)> {
        let path = self.read().packs[pack as usize].id.pack_path(&self.dir);
        let mut files = self.files();
        if let Some(index) = files.iter().position(|(number, _)| *number == pack) {
            let entry = files.remove(index);
            files.push(entry.clone());
            return Ok((Some(entry.1), path));
        }
        let file = match DirectReader::open(&path) {
            Ok(file) => Arc::new(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, path)),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        if files.len() == OPEN_FILES_MAX {
            files.remove(0);
        }
        files.push((pack, Arc::clone(&file)));
        Ok((Some(file), path))
    }

    pub(super) fn id_of(&self, place: PackPlace) -> PackId {
        self.read().id_of(place)
    }

    pub(super) fn places(&self, kind: Kind, digest: &Digest) -> Vec<PackPlace> {
        self.read().places(kind, digest)
    }
}

/// What is asked.
impl Index {
    pub fn content(&self, kind: Kind, digest: &Digest) -> Option<IndexedContent> {
        self.read().contents(kind).get(digest).copied()
    }

    pub fn by_sha256(&self, sha256: &Sha256) -> Option<Digest> {
        self.read().sha256.get(sha256).copied()
    }

    pub fn contents(&self, kind: Kind) -> Vec<(Digest, IndexedContent)> {
        let state = self.read();
        state.contents(kind).iter().map(|(digest, content)| (*digest, *content)).collect()
    }

    pub fn has(&self, kind: Kind, digest: &Digest) -> bool {
        self.read().place(kind, digest).is_some()
    }

    /// Whether a blob or tree of this name was here, and what is left of it can't be read.
    pub fn is_rotten(&self, digest: &Digest) -> bool {
        self.read().is_rotten(digest)
    }

    /// Bytes that a record takes in its pack; 0 if there is none of this name.
    pub fn stored_len(&self, kind: Kind, digest: &Digest) -> u64 {
        self.read().stored_len(kind, digest)
    }

    /// Whether a copy of a chunk depends on no other.
    pub fn stands_alone(&self, chunk: &Digest) -> bool {
        self.places(Kind::Chunk, chunk).iter().any(|place| !is_delta(place.codec))
    }

    /// All copies of chunks that are deltas, and the packs they lie in.
    pub fn deltas(&self) -> Vec<(Digest, PackId)> {
        self.read().deltas()
    }

    /// All names of a kind of record.
    pub fn names(&self, kind: Kind) -> Vec<Digest> {
        self.contents(kind).into_iter().map(|(digest, _)| digest).collect()
    }

    /// Visits every copy of every record: kind, name, pack, offset, and length of the payload. Must not ask the index.
    pub fn each_copy(&self, visit: &mut dyn FnMut(Kind, &Digest, PackId, u64, u32)) {
        self.read().each_copy(visit);
    }

    /// All places of the records that have several.
    pub fn copies(&self) -> HashMap<(Kind, Digest), Vec<CopyPlace>> {
        self.read().copies()
    }

    /// Packs and offsets of all copies of a record.
    pub fn places_of(&self, kind: Kind, digest: &Digest) -> Vec<(PackId, u64)> {
        let state = self.read();
        state.places(kind, digest).into_iter().map(|place| (state.id_of(place), place.offset)).collect()
    }

    /// All packs that are there, and where their last known group ends.
    pub fn packs(&self) -> Vec<(PackId, u64)> {
        self.read().packs()
    }
}
