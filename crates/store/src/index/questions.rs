//! What is here, and where: answered from memory.

use std::{collections::HashMap, io, path::Path};

use stemma_core::{Digest, Sha256};

use super::{Content, CopyPlace, Index, Place, Reliance};
use crate::{
    codec::{self, DEPENDENCY_LEN, Dependency},
    error::{Result, StoreError},
    marks::Marks,
    pack::PackId,
    pack::{CODEC_INLINE, HEADER_LEN, Header, Kind},
};

impl Index {
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
        accept: impl Fn(&Header, &[u8]) -> bool,
    ) -> Option<PackId> {
        self.places(record.0, &record.1).into_iter().find_map(|place| {
            let id = self.read().packs[place.pack as usize].id;
            if id == outside || marks.get(id, place.offset).is_some() {
                return None;
            }
            let found = self.record_at(record.0, &record.1, place).ok()?;
            accept(&found.header, found.payload()).then_some(id)
        })
    }

    pub(super) fn places(&self, kind: Kind, digest: &Digest) -> Vec<Place> {
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

    /// Whether a blob or tree of this name was here, and what is left of it can't be read.
    pub fn is_rotten(&self, digest: &Digest) -> bool {
        let state = self.read();
        [Kind::Blob, Kind::Tree].iter().any(|kind| state.rotten.contains_key(&(*kind, *digest)))
    }

    /// Bytes that a record takes in its pack; 0 if there is none of this name.
    pub fn stored_len(&self, kind: Kind, digest: &Digest) -> u64 {
        self.read().place(kind, digest).map_or(0, |place| HEADER_LEN as u64 + u64::from(place.stored))
    }

    /// Whether a copy of a chunk depends on no other.
    pub fn stands_alone(&self, chunk: &Digest) -> bool {
        self.places(Kind::Chunk, chunk).iter().any(|place| !codec::is_delta(place.codec))
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
    pub(super) fn base_at(&self, chunk: &Digest, place: Place) -> Result<Option<Digest>> {
        let (Some(file), path) = self.file(place.pack)? else {
            return Ok(None);
        };
        let bytes = match file.read(place.offset, HEADER_LEN + DEPENDENCY_LEN) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
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
}
