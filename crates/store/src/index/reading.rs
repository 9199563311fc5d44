//! Reading records where they lie, checked.

use std::io;

use stemma_core::Digest;

use super::{shared::Index, state::PackPlace};
use crate::{
    error::{Result, StoreError},
    fs::direct::ReadBytes,
    pack::{HEADER_LEN, Header, HeaderFault, Kind, PAYLOAD_MAX, PackId},
};

/// What is wrong with content whose recipe rotted before this process came to know it.
pub(crate) const ROTTEN: &str = "its stored bytes do not match their check";
/// One look without the folder, one after reading it, the rest because collections moved the record meanwhile.
const READ_ATTEMPTS: usize = 10;

/// Why a copy of a record could not be read.
pub(crate) enum CopyFault {
    Damaged(String),
    Other(StoreError),
}

impl CopyFault {
    /// What it means if there is no other copy.
    pub fn into_error(self, digest: Digest) -> StoreError {
        match self {
            Self::Damaged(what) => StoreError::corrupt(digest, what),
            Self::Other(error) => error,
        }
    }
}

/// A record whose checks hold.
pub(crate) struct Stored {
    pub header: Header,
    bytes: ReadBytes,
}

impl Stored {
    pub fn payload(&self) -> &[u8] {
        &self.bytes[HEADER_LEN..]
    }
}

impl Index {
    /// Reads a record and makes something of it; tries all copies, and what other processes added since.
    ///
    /// `None` if there is no such record. `make` gets header and payload whose checks hold.
    pub fn fetch<T>(
        &self,
        kind: Kind,
        digest: &Digest,
        make: impl Fn(&Header, &[u8]) -> std::result::Result<T, CopyFault>,
    ) -> Result<Option<T>> {
        let mut tried = Vec::new();
        let mut fault = None;
        for attempt in 0..READ_ATTEMPTS {
            if attempt > 0 {
                self.refresh()?;
            }
            let untried = self.places(kind, digest).into_iter().filter(|place| !tried.contains(place));
            let untried: Vec<PackPlace> = untried.collect();
            if attempt > 0 && untried.is_empty() {
                break;
            }
            for place in untried {
                tried.push(place);
                match self.record_at(kind, digest, place).and_then(|found| make(&found.header, found.payload())) {
                    Ok(made) => return Ok(Some(made)),
                    Err(next) => fault = Some(next),
                }
            }
        }
        match fault {
            None if self.read().rotten.contains_key(&(kind, *digest)) => Err(StoreError::corrupt(*digest, ROTTEN)),
            None => Ok(None),
            Some(CopyFault::Other(error)) => Err(error),
            // its packs are gone: a collection took it away
            Some(CopyFault::Damaged(_)) if self.places(kind, digest).is_empty() => Ok(None),
            Some(CopyFault::Damaged(what)) => {
                self.write().damaged.insert((kind, *digest));
                Err(StoreError::corrupt(*digest, what))
            }
        }
    }

    /// The copy of a record at a place, if it is whole.
    pub fn copy_at(&self, record: (Kind, Digest), pack: PackId, offset: u64) -> Option<Stored> {
        let (kind, digest) = record;
        let is_there = |place: &PackPlace| place.offset == offset && self.id_of(*place) == pack;
        let place = self.places(kind, &digest).into_iter().find(is_there)?;
        self.record_at(kind, &digest, place).ok()
    }

    pub(super) fn record_at(
        &self,
        kind: Kind,
        digest: &Digest,
        place: PackPlace,
    ) -> std::result::Result<Stored, CopyFault> {
        let damaged = |what: &str| {
            let id = self.id_of(place);
            CopyFault::Damaged(format!("{what} (pack {id}, byte {})", place.offset))
        };
        if u64::from(place.stored) > PAYLOAD_MAX {
            return Err(damaged("it has an impossible length"));
        }
        let (file, path) = self.file(place.pack).map_err(CopyFault::Other)?;
        let Some(file) = file else {
            return Err(damaged("its pack is missing"));
        };
        let bytes = match file.read(place.offset, HEADER_LEN + place.stored as usize) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(damaged("its pack ends before it"));
            }
            Err(error) => return Err(CopyFault::Other(StoreError::io(&path, error))),
        };
        let (head, payload) = bytes.split_at(HEADER_LEN);
        let id = self.id_of(place);
        let header = match Header::parse(head, id, place.offset) {
            Ok(header) => header,
            Err(HeaderFault::NotARecord) => return Err(damaged("its record header is damaged")),
            Err(HeaderFault::Unknown(version)) => {
                let (what, version) = ("record kind", version.into());
                return Err(CopyFault::Other(StoreError::UnsupportedVersion { path, what, version }));
            }
        };
        if header.kind != kind || header.digest != *digest || !header.payload_is_whole(payload) {
            return Err(damaged("its stored bytes do not match their check"));
        }
        Ok(Stored { header, bytes })
    }
}
