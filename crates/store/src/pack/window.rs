//! Reading a pack front to back without reading the chunks that are only passed over.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path};

use super::{
    group::Commit,
    id::{PACK_HEADER_LEN, PACK_MAGIC, PACK_VERSION, PackId, encode_pack_header},
    recipe::{Recipe, RecipeFault},
    record::{HEADER_LEN, Header, HeaderFault, Kind, MAGIC, PackedRecord},
};
use crate::{
    error::{IoContext as _, Result, StoreError},
    little_endian::{le_u16, le_u32},
};

/// A part of a pack in memory, which moves as it is read.
pub(super) struct Window<'a> {
    file: &'a File,
    path: &'a Path,
    id: PackId,
    pub len: u64,
    start: u64,
    bytes: Vec<u8>,
}

const READ_AHEAD: usize = 8 << 10;
const SEARCH_STEP: usize = 1 << 20;

impl<'a> Window<'a> {
    pub fn new(file: &'a File, path: &'a Path, id: PackId) -> Result<Self> {
        let len = file.metadata().at(path)?.len();
        Ok(Self { file, path, id, len, start: 0, bytes: Vec::new() })
    }

    /// Reads anew from here on.
    pub fn forget(&mut self) {
        self.bytes.clear();
    }

    /// Returns `len` bytes at `at`; `None` if the file ends before.
    fn get(&mut self, at: u64, len: usize) -> Result<Option<&[u8]>> {
        if at.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Ok(None);
        }
        let held = self.start..self.start + self.bytes.len() as u64;
        if at < held.start || at + len as u64 > held.end {
            let wanted = (len.max(READ_AHEAD) as u64).min(self.len - at);
            self.bytes.resize(wanted as usize, 0);
            self.start = at;
            match self.file.read_exact_at(&mut self.bytes, at) {
                Ok(()) => {}
                // the writer that was there gave up and cut its tail off
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.bytes.clear();
                    return Ok(None);
                }
                Err(error) => return Err(StoreError::io(self.path, error)),
            }
        }
        let from = (at - self.start) as usize;
        Ok(Some(&self.bytes[from..from + len]))
    }

    /// `false` if the pack does not begin with its header.
    pub fn pack_header_is_whole(&mut self) -> Result<bool> {
        let (id, path) = (self.id, self.path);
        let Some(bytes) = self.get(0, PACK_HEADER_LEN)? else {
            return Ok(false);
        };
        if bytes == encode_pack_header(id) {
            return Ok(true);
        }
        let crc_holds = le_u32(&bytes[28..]) == crc32fast::hash(&bytes[..28]);
        let version = le_u16(&bytes[8..10]);
        if bytes[..8] == PACK_MAGIC && crc_holds && version != PACK_VERSION {
            let version = version.into();
            return Err(StoreError::UnsupportedVersion { path: path.to_owned(), what: "pack format", version });
        }
        Ok(false)
    }

    pub fn header(&mut self, at: u64) -> Result<Option<(Header, [u8; HEADER_LEN])>> {
        let (id, path) = (self.id, self.path);
        let Some(bytes) = self.get(at, HEADER_LEN)? else {
            return Ok(None);
        };
        match Header::parse(bytes, id, at) {
            Ok(header) => Ok(Some((header, bytes.try_into().expect("the slice is HEADER_LEN long")))),
            Err(HeaderFault::NotARecord) => Ok(None),
            Err(HeaderFault::Unknown(kind)) => {
                Err(StoreError::UnsupportedVersion { path: path.to_owned(), what: "record kind", version: kind.into() })
            }
        }
    }

    fn payload(&mut self, header: &Header, at: u64) -> Result<Option<&[u8]>> {
        let payload = self.get(at + HEADER_LEN as u64, header.stored as usize)?;
        Ok(payload.filter(|payload| header.payload_is_whole(payload)))
    }

    pub fn payload_is_whole(&mut self, header: &Header, at: u64) -> Result<bool> {
        Ok(self.payload(header, at)?.is_some())
    }

    pub fn commit(&mut self, header: &Header, at: u64) -> Result<Option<Commit>> {
        let payload = self.payload(header, at)?;
        Ok(payload.and_then(|payload| Commit::decode(header.digest, payload)))
    }

    /// Describes a record; `None` for a recipe that is damaged.
    pub fn describe(&mut self, header: &Header, at: u64) -> Result<Option<PackedRecord>> {
        let content = match header.kind {
            Kind::Blob | Kind::Tree => {
                let Some(payload) = self.payload(header, at)? else {
                    return Ok(None);
                };
                match Recipe::decode(header.digest, payload) {
                    Ok(recipe) => Some((recipe.size, recipe.sha256)),
                    Err(RecipeFault::Damaged(_)) => return Ok(None),
                    Err(RecipeFault::Unknown(version)) => {
                        return Err(self.unsupported("recipe version", version));
                    }
                }
            }
            Kind::Chunk | Kind::Page | Kind::Commit => None,
        };
        Ok(Some(PackedRecord::new(header, at, content)))
    }

    fn unsupported(&self, what: &'static str, version: u8) -> StoreError {
        StoreError::UnsupportedVersion { path: self.path.to_owned(), what, version: version.into() }
    }

    /// Searches for the next header of this pack in `from..end`; `end` if there is none.
    pub fn next_header(&mut self, from: u64, end: u64) -> Result<u64> {
        let mut at = from;
        while end.saturating_sub(at) >= HEADER_LEN as u64 {
            let step = (end - at).min(SEARCH_STEP as u64) as usize;
            let Some(bytes) = self.get(at, step)? else {
                return Ok(end);
            };
            let candidates: Vec<u64> = bytes
                .windows(MAGIC.len())
                .enumerate()
                .filter(|(_, window)| *window == MAGIC)
                .map(|(index, _)| at + index as u64)
                .collect();
            for candidate in candidates {
                if self.header(candidate)?.is_some() {
                    return Ok(candidate);
                }
            }
            at += (step - (MAGIC.len() - 1)) as u64;
        }
        Ok(end)
    }
}
