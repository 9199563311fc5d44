//! Which copies somebody may rely on: those that stay, with all that they depend on.

use std::{collections::HashSet, io};

use stemma_core::Digest;

use super::{shared::Index, state::PackPlace};
use crate::{
    codec::{DEPENDENCY_LEN, DEPTH_MAX, Dependency},
    error::{Result, StoreError},
    marks::Marks,
    pack::{HEADER_LEN, Header, Kind, PackId, is_delta},
};

/// What somebody who adds content goes by, and what of it must be on disk before it counts.
pub(crate) struct Reliance<'a> {
    pub marks: &'a Marks,
    /// Records that are being added together.
    pub pending: &'a HashSet<(Kind, Digest)>,
    pub unsynced: &'a mut HashSet<PackId>,
}

impl Index {
    /// Whether a record need not be written again: there is a copy without a mark, and if that is a delta, the same
    /// holds for what it depends on (`pending` are records on their way). Where such a copy may not be on disk yet, its
    /// pack is added to `unsynced`.
    pub fn holds(&self, record: (Kind, Digest), reliance: &mut Reliance<'_>) -> bool {
        self.holds_within(record, reliance, DEPTH_MAX)
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
    fn base_holds(&self, chunk: &Digest, place: PackPlace, reliance: &mut Reliance<'_>, deltas_max: u8) -> bool {
        if !is_delta(place.codec) {
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
            let id = self.id_of(place);
            if id == outside || marks.get(id, place.offset).is_some() {
                return None;
            }
            let found = self.record_at(record.0, &record.1, place).ok()?;
            accept(&found.header, found.payload()).then_some(id)
        })
    }

    /// The chunks that copies of a chunk are kept as differences to.
    pub fn bases(&self, chunk: &Digest) -> Result<Vec<Digest>> {
        let mut bases = Vec::new();
        for place in self.places(Kind::Chunk, chunk) {
            if is_delta(place.codec) {
                bases.extend(self.base_at(chunk, place)?);
            }
        }
        Ok(bases)
    }

    /// What the copy of a delta at this place depends on; `None` if that can't be told.
    pub(super) fn base_at(&self, chunk: &Digest, place: PackPlace) -> Result<Option<Digest>> {
        let (Some(file), path) = self.file(place.pack)? else {
            return Ok(None);
        };
        let bytes = match file.read(place.offset, HEADER_LEN + DEPENDENCY_LEN) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        let id = self.id_of(place);
        let header = Header::parse(&bytes[..HEADER_LEN], id, place.offset).ok();
        let header = header.filter(|header| header.kind == Kind::Chunk && header.digest == *chunk);
        Ok(header.and_then(|header| Dependency::of(header.codec, &bytes[HEADER_LEN..])).map(|found| found.base))
    }
}
