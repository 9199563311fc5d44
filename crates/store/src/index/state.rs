//! The maps behind the answers: where each record lies, by kind and name.

use std::collections::{HashMap, HashSet};

use stemma_core::{Digest, Sha256};

use super::{Content, Place};
use crate::{
    pack::Kind,
    pack::{Found, PackId},
};

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
    pub chunks: HashMap<Digest, Place>,
    pub pages: HashMap<Digest, Place>,
    pub blobs: HashMap<Digest, Content>,
    pub trees: HashMap<Digest, Content>,
    pub sha256: HashMap<Sha256, Digest>,
    /// Further copies of records, written by processes that did not see each other or over a damaged one.
    pub copies: HashMap<(Kind, Digest), Vec<Place>>,
    /// Recipes that are in these packs and can't be read, of contents that are nowhere else. They count as absent for who
    /// adds them, not for who wants them.
    pub rotten: HashMap<(Kind, Digest), u32>,
    /// Records of which no good copy was found when they were last read.
    pub damaged: HashSet<(Kind, Digest)>,
}

impl State {
    pub fn contents(&self, kind: Kind) -> &HashMap<Digest, Content> {
        match kind {
            Kind::Tree => &self.trees,
            _ => &self.blobs,
        }
    }

    pub fn place(&self, kind: Kind, digest: &Digest) -> Option<Place> {
        match kind {
            Kind::Chunk => self.chunks.get(digest).copied(),
            Kind::Page => self.pages.get(digest).copied(),
            Kind::Blob | Kind::Tree => self.contents(kind).get(digest).map(|content| content.place),
            Kind::Commit => None,
        }
    }

    pub fn place_mut(&mut self, kind: Kind, digest: &Digest) -> Option<&mut Place> {
        match kind {
            Kind::Chunk => self.chunks.get_mut(digest),
            Kind::Page => self.pages.get_mut(digest),
            Kind::Blob => self.blobs.get_mut(digest).map(|content| &mut content.place),
            Kind::Tree => self.trees.get_mut(digest).map(|content| &mut content.place),
            Kind::Commit => None,
        }
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

    /// Makes room at once: growing step by step would move every entry several times.
    pub fn reserve(&mut self, records: &[Found]) {
        let count = |kind| records.iter().filter(|found| found.kind == kind).count();
        self.chunks.reserve(count(Kind::Chunk));
        self.blobs.reserve(count(Kind::Blob));
        self.sha256.reserve(count(Kind::Blob));
    }

    pub fn insert(&mut self, pack: u32, found: Found) {
        let key = (found.kind, found.digest);
        self.rotten.remove(&key);
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

    pub fn insert_first(&mut self, found: Found, place: Place) {
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
        let is_there = |place: &Place| !packs[place.pack as usize].gone;
        self.chunks.retain(|_, place| is_there(place));
        self.pages.retain(|_, place| is_there(place));
        self.blobs.retain(|_, content| is_there(&content.place));
        self.trees.retain(|_, content| is_there(&content.place));
        self.rotten.retain(|_, pack| !packs[*pack as usize].gone);
        let blobs = &self.blobs;
        self.sha256.retain(|_, digest| blobs.contains_key(digest));
    }
}
