//! Reading records where they lie, checked.

use std::{io, path::PathBuf, sync::Arc};

use stemma_core::Digest;

use super::{Index, Place};
use crate::{
    error::{Result, StoreError},
    fs::direct,
    pack::PackId,
    pack::{HEADER_LEN, Header, HeaderFault, Kind, PAYLOAD_MAX},
};

/// Pack files kept open for reading.
const OPEN_FILES_MAX: usize = 64;
/// What is wrong with content whose recipe rotted before this process came to know it.
pub(crate) const ROTTEN: &str = "its stored bytes do not match their check";
/// One look without the folder, one after reading it, the rest because collections moved the record meanwhile.
const READ_ATTEMPTS: usize = 10;

/// Why a record could not be read from one place.
pub(crate) enum RecordFault {
    Damaged(String),
    Other(StoreError),
}

/// A record whose checks hold.
pub(crate) struct Stored {
    pub header: Header,
    bytes: direct::Piece,
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
        make: impl Fn(&Header, &[u8]) -> std::result::Result<T, RecordFault>,
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
                match self.record_at(kind, digest, place).and_then(|found| make(&found.header, found.payload())) {
                    Ok(made) => return Ok(Some(made)),
                    Err(next) => fault = Some(next),
                }
            }
        }
        match fault {
            None if self.read().rotten.contains_key(&(kind, *digest)) => Err(StoreError::corrupt(*digest, ROTTEN)),
            None => Ok(None),
            Some(RecordFault::Other(error)) => Err(error),
            // its packs are gone: a collection took it away
            Some(RecordFault::Damaged(_)) if self.places(kind, digest).is_empty() => Ok(None),
            Some(RecordFault::Damaged(what)) => {
                self.write().damaged.insert((kind, *digest));
                Err(StoreError::corrupt(*digest, what))
            }
        }
    }

    /// The copy of a record at a place, if it is whole.
    pub fn copy_at(&self, record: (Kind, Digest), pack: PackId, offset: u64) -> Option<Stored> {
        let (kind, digest) = record;
        let is_there = |place: &Place| place.offset == offset && self.read().packs[place.pack as usize].id == pack;
        let place = self.places(kind, &digest).into_iter().find(is_there)?;
        self.record_at(kind, &digest, place).ok()
    }

    pub(super) fn record_at(
        &self,
        kind: Kind,
        digest: &Digest,
        place: Place,
    ) -> std::result::Result<Stored, RecordFault> {
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
        let bytes = match file.read(place.offset, HEADER_LEN + place.stored as usize) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(damaged("its pack ends before it"));
            }
            Err(error) => return Err(RecordFault::Other(StoreError::io(&path, error))),
        };
        let (head, payload) = bytes.split_at(HEADER_LEN);
        let id = self.read().packs[place.pack as usize].id;
        let header = match Header::parse(head, id, place.offset) {
            Ok(header) => header,
            Err(HeaderFault::NotARecord) => return Err(damaged("its record header is damaged")),
            Err(HeaderFault::Unknown(version)) => {
                let (what, version) = ("record kind", version.into());
                return Err(RecordFault::Other(StoreError::UnsupportedVersion { path, what, version }));
            }
        };
        if header.kind != kind || header.digest != *digest || !header.payload_is_whole(payload) {
            return Err(damaged("its stored bytes do not match their check"));
        }
        Ok(Stored { header, bytes })
    }

    /// The pack's file, opened for reading; `None` if it is gone.
    pub(super) fn file(&self, pack: u32) -> Result<(Option<Arc<direct::Input>>, PathBuf)> {
        let path = self.read().packs[pack as usize].id.pack_path(&self.dir);
        let mut files = self.files();
        if let Some(index) = files.iter().position(|(number, _)| *number == pack) {
            let entry = files.remove(index);
            files.push(entry.clone());
            return Ok((Some(entry.1), path));
        }
        let file = match direct::Input::open(&path) {
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
}
