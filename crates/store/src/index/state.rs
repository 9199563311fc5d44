//! The maps behind the answers: where each record lies, by kind and name.
//!
//! Nothing here touches a file, so all of it can be held against a plain list of records.

use std::collections::{HashMap, HashSet};

use stemma_core::{Digest, Sha256};

use crate::pack::{CODEC_INLINE, HEADER_LEN, Kind, PackId, PackedRecord, Scan, is_delta};

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PackPlace {
    /// Its number in this process.
    pub(super) pack: u32,
    pub(super) stored: u32,
    pub(super) codec: u8,
    pub offset: u64,
}

/// A blob or tree in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexedContent {
    pub(super) place: PackPlace,
    pub size: u64,
    pub sha256: Sha256,
}

impl IndexedContent {
    /// Whether the content is in its recipe, so that there is nothing else to look for.
    pub fn is_inline(&self) -> bool {
        self.place.codec == CODEC_INLINE
    }
}

/// Whether a copy of a record is a delta, and the pack and offset where it lies.
pub(crate) type CopyPlace = (bool, PackId, u64);

pub(super) struct Pack {
    pub id: PackId,
    /// End of the last group that is known.
    pub committed_end: u64,
    /// Up to here this process knows the pack to be on disk.
    pub synced_end: u64,
    /// Nobody writes to it any more, and all of it is on disk.
    pub sealed: bool,
    /// This process knows the file's name to be on disk.
    pub name_synced: bool,
    pub gone: bool,
}

#[derive(Default)]
pub(super) struct State {
    pub packs: Vec<Pack>,
    pub by_id: HashMap<PackId, u32>,
    pub chunks: HashMap<Digest, PackPlace>,
    pub pages: HashMap<Digest, PackPlace>,
    pub blobs: HashMap<Digest, IndexedContent>,
    pub trees: HashMap<Digest, IndexedContent>,
    pub sha256: HashMap<Sha256, Digest>,
    /// Further copies of records, written by processes that did not see each other or over a damaged one.
    pub copies: HashMap<(Kind, Digest), Vec<PackPlace>>,
    /// Recipes that are in these packs and can't be read, of contents that are nowhere else. They count as absent for who
    /// adds them, not for who wants them.
    pub rotten: HashMap<(Kind, Digest), u32>,
    /// Records of which no good copy was found when they were last read.
    pub damaged: HashSet<(Kind, Digest)>,
}

impl State {
    pub fn contents(&self, kind: Kind) -> &HashMap<Digest, IndexedContent> {
        match kind {
            Kind::Tree => &self.trees,
            _ => &self.blobs,
        }
    }

    pub fn place(&self, kind: Kind, digest: &Digest) -> Option<PackPlace> {
        match kind {
            Kind::Chunk => self.chunks.get(digest).copied(),
            Kind::Page => self.pages.get(digest).copied(),
            Kind::Blob | Kind::Tree => self.contents(kind).get(digest).map(|content| content.place),
            Kind::Commit => None,
        }
    }

    fn place_mut(&mut self, kind: Kind, digest: &Digest) -> Option<&mut PackPlace> {
        match kind {
            Kind::Chunk => self.chunks.get_mut(digest),
            Kind::Page => self.pages.get_mut(digest),
            Kind::Blob => self.blobs.get_mut(digest).map(|content| &mut content.place),
            Kind::Tree => self.trees.get_mut(digest).map(|content| &mut content.place),
            Kind::Commit => None,
        }
    }

    /// All places of a record, the best first.
    pub fn places(&self, kind: Kind, digest: &Digest) -> Vec<PackPlace> {
        let copies = self.copies.get(&(kind, *digest)).into_iter().flatten();
        let mut places: Vec<PackPlace> = self.place(kind, digest).into_iter().chain(copies.copied()).collect();
        // what another recipe lists may be gone
        places.sort_by_key(|place| place.codec != CODEC_INLINE);
        places
    }

    pub fn id_of(&self, place: PackPlace) -> PackId {
        self.packs[place.pack as usize].id
    }

    pub fn is_rotten(&self, digest: &Digest) -> bool {
        [Kind::Blob, Kind::Tree].iter().any(|kind| self.rotten.contains_key(&(*kind, *digest)))
    }

    pub fn stored_len(&self, kind: Kind, digest: &Digest) -> u64 {
        self.place(kind, digest).map_or(0, |place| HEADER_LEN as u64 + u64::from(place.stored))
    }

    pub fn deltas(&self) -> Vec<(Digest, PackId)> {
        let copies = self.copies.iter().filter(|(key, _)| key.0 == Kind::Chunk);
        let copies = copies.flat_map(|(key, places)| places.iter().map(|place| (key.1, *place)));
        let all = self.chunks.iter().map(|(digest, place)| (*digest, *place)).chain(copies);
        all.filter(|(_, place)| is_delta(place.codec)).map(|(digest, place)| (digest, self.id_of(place))).collect()
    }

    pub fn each_copy(&self, visit: &mut dyn FnMut(Kind, &Digest, PackId, u64, u32)) {
        let mut visit_place = |kind, digest: &Digest, place: &PackPlace| {
            visit(kind, digest, self.id_of(*place), place.offset, place.stored);
        };
        self.chunks.iter().for_each(|(digest, place)| visit_place(Kind::Chunk, digest, place));
        self.pages.iter().for_each(|(digest, place)| visit_place(Kind::Page, digest, place));
        self.blobs.iter().for_each(|(digest, content)| visit_place(Kind::Blob, digest, &content.place));
        self.trees.iter().for_each(|(digest, content)| visit_place(Kind::Tree, digest, &content.place));
        for ((kind, digest), places) in &self.copies {
            places.iter().for_each(|place| visit_place(*kind, digest, place));
        }
    }

    pub fn copies(&self) -> HashMap<(Kind, Digest), Vec<CopyPlace>> {
        let shown = |place: &PackPlace| (is_delta(place.codec), self.id_of(*place), place.offset);
        let all = |(key, copies): (&(Kind, Digest), &Vec<PackPlace>)| {
            let first = self.place(key.0, &key.1);
            (*key, first.iter().chain(copies).map(shown).collect())
        };
        self.copies.iter().map(all).collect()
    }

    pub fn packs(&self) -> Vec<(PackId, u64)> {
        self.packs.iter().filter(|pack| !pack.gone).map(|pack| (pack.id, pack.committed_end)).collect()
    }

    pub fn pack_number(&mut self, id: PackId) -> u32 {
        if let Some(number) = self.by_id.get(&id) {
            return *number;
        }
        let number = u32::try_from(self.packs.len()).expect("2^32 packs fit no disk");
        self.packs.push(Pack { id, committed_end: 0, synced_end: 0, sealed: false, name_synced: false, gone: false });
        self.by_id.insert(id, number);
        number
    }

    /// Takes in what was found in a pack.
    pub fn absorb(&mut self, id: PackId, scan: Scan) {
        let number = self.pack_number(id);
        self.reserve(&scan.records);
        for found in scan.records {
            self.insert(number, found);
        }
        for lost in scan.rotten.into_iter().filter_map(|injury| injury.record) {
            let (kind, digest) = lost;
            if matches!(kind, Kind::Blob | Kind::Tree) && self.place(kind, &digest).is_none() {
                self.rotten.insert(lost, number);
            }
        }
        let pack = &mut self.packs[number as usize];
        pack.committed_end = pack.committed_end.max(scan.committed_end);
    }

    /// Makes room at once: growing step by step would move every entry several times.
    fn reserve(&mut self, records: &[PackedRecord]) {
        let count = |kind| records.iter().filter(|found| found.kind == kind).count();
        self.chunks.reserve(count(Kind::Chunk));
        self.blobs.reserve(count(Kind::Blob));
        self.sha256.reserve(count(Kind::Blob));
    }

    fn insert(&mut self, pack: u32, found: PackedRecord) {
        let key = (found.kind, found.digest);
        self.rotten.remove(&key);
        let place = PackPlace { pack, stored: found.stored, codec: found.codec, offset: found.offset };
        let Some(held) = self.place(found.kind, &found.digest) else {
            return self.insert_first(found, place);
        };
        if held == place || self.copies.get(&key).is_some_and(|copies| copies.contains(&place)) {
            // found again, as when its pack is closed: it is no other copy, and not written anew
            return;
        }
        let other = if self.damaged.remove(&key) {
            // written anew because the held one is damaged
            std::mem::replace(self.place_mut(key.0, &key.1).expect("it was there above"), place)
        } else {
            place
        };
        self.copies.entry(key).or_default().push(other);
    }

    fn insert_first(&mut self, found: PackedRecord, place: PackPlace) {
        match (found.kind, found.content) {
            (Kind::Chunk, _) => {
                self.chunks.insert(found.digest, place);
            }
            (Kind::Page, _) => {
                self.pages.insert(found.digest, place);
            }
            (Kind::Blob, Some((size, sha256))) => {
                self.blobs.insert(found.digest, IndexedContent { place, size, sha256 });
                self.sha256.insert(sha256, found.digest);
            }
            (Kind::Tree, Some((size, sha256))) => {
                self.trees.insert(found.digest, IndexedContent { place, size, sha256 });
            }
            (Kind::Blob | Kind::Tree | Kind::Commit, _) => {}
        }
    }

    pub fn forget(&mut self, ids: &HashSet<PackId>) {
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
        let is_there = |place: &PackPlace| !packs[place.pack as usize].gone;
        self.chunks.retain(|_, place| is_there(place));
        self.pages.retain(|_, place| is_there(place));
        self.blobs.retain(|_, content| is_there(&content.place));
        self.trees.retain(|_, content| is_there(&content.place));
        self.rotten.retain(|_, pack| !packs[*pack as usize].gone);
        let blobs = &self.blobs;
        self.sha256.retain(|_, digest| blobs.contains_key(digest));
    }
}
