//! Index files: what a sealed pack holds and where, so that opening a store need not read its packs.
//!
//! An index is a convenience: it is rebuilt from its pack whenever it is lost or damaged. Its existence also says
//! that nobody will ever write to the pack again, and that all of the pack is on disk.
//!
//! All numbers are little-endian: magic (8 bytes), version (u16), reserved (6), pack id (16), end of the pack's
//! last group (u64), then for each kind (chunks, pages, blobs, trees) the number of entries (u32); then the
//! entries of each kind in that order, sorted by digest: digest (32), offset (u64), stored length (u32: the length in
//! the lower 26 bits, the codec in the upper 6), and for blobs and trees size (u64) and SHA-256 (32); at last the BLAKE3
//! of all bytes before. Version 1 has no codec there: none of its codecs refers to other records.

use std::{fs, io, path::Path};

use stemma_core::{Digest, Sha256};

use super::{
    id::PackId,
    record::{Kind, PackedRecord},
};
use crate::{
    error::{Result, StoreError},
    fs::durable::replace,
    little_endian::{le_u16, le_u32, le_u64},
};

const MAGIC: [u8; 8] = *b"\x9dSTMIDX\n";
const VERSION: u16 = 2;
const VERSION_WITHOUT_CODEC: u16 = 1;
/// Lengths are below [`PAYLOAD_MAX`](super::record::PAYLOAD_MAX), which takes one bit less.
const CODEC_SHIFT: u32 = 26;
const HEAD_LEN: usize = 56;
const CHECK_LEN: usize = 32;
const PLACE_LEN: usize = 44;
const CONTENT_LEN: usize = 40;
const KINDS: [Kind; 4] = [Kind::Chunk, Kind::Page, Kind::Blob, Kind::Tree];

/// No pack can hold so many records that its index gets longer.
const FILE_MAX: u64 = 512 << 20;

pub(crate) struct PackIndex {
    pub records: Vec<PackedRecord>,
    pub committed_end: u64,
}

impl PackIndex {
    /// Reads an index; `None` if it is missing or damaged.
    pub fn load(dir: &Path, id: PackId) -> Result<Option<Self>> {
        let path = id.index_path(dir);
        let bytes = match fs::metadata(&path)
            .and_then(|meta| if meta.len() > FILE_MAX { Ok(Vec::new()) } else { fs::read(&path) })
        {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        match decode(id, &bytes) {
            Ok(index) => Ok(Some(index)),
            Err(IndexFault::Damaged) => Ok(None),
            Err(IndexFault::Version(version)) => {
                Err(StoreError::UnsupportedVersion { path, what: "index format", version: version.into() })
            }
        }
    }

    /// Writes the index and makes it survive a power loss. The caller holds the pack's lock.
    pub fn write(&mut self, dir: &Path, id: PackId) -> Result<()> {
        let bytes = self.encode(id);
        let path = id.index_path(dir);
        // the lock on the pack makes this name ours; a rest of an earlier attempt is overwritten
        replace(&path, &path.with_extension("idx.tmp"), &bytes)
    }

    /// Reads the bytes of an index file.
    pub fn decode(id: PackId, bytes: &[u8]) -> std::result::Result<Self, IndexFault> {
        decode(id, bytes)
    }

    /// Returns the bytes of an index file.
    pub fn encode(&mut self, id: PackId) -> Vec<u8> {
        self.records.sort_unstable_by_key(|found| (found.kind, found.digest, found.offset));
        encode(self, id)
    }
}

fn encode(index: &PackIndex, id: PackId) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_LEN + index.records.len() * (PLACE_LEN + CONTENT_LEN) + CHECK_LEN);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 6]);
    bytes.extend_from_slice(&id.0);
    bytes.extend_from_slice(&index.committed_end.to_le_bytes());
    for kind in KINDS {
        let count = index.records.iter().filter(|found| found.kind == kind).count();
        let count = u32::try_from(count).expect("a pack has fewer than 2^32 bytes");
        bytes.extend_from_slice(&count.to_le_bytes());
    }
    for found in &index.records {
        bytes.extend_from_slice(found.digest.as_bytes());
        bytes.extend_from_slice(&found.offset.to_le_bytes());
        bytes.extend_from_slice(&(found.stored | u32::from(found.codec) << CODEC_SHIFT).to_le_bytes());
        if let Some((size, sha256)) = &found.content {
            bytes.extend_from_slice(&size.to_le_bytes());
            bytes.extend_from_slice(sha256.as_bytes());
        }
    }
    let check = blake3::hash(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

/// Why bytes are no index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IndexFault {
    #[error("it is damaged")]
    Damaged,
    #[error("it has version {0}, which this program does not know")]
    Version(u16),
}

fn decode(id: PackId, bytes: &[u8]) -> std::result::Result<PackIndex, IndexFault> {
    let Some(body_len) = bytes.len().checked_sub(CHECK_LEN).filter(|len| *len >= HEAD_LEN) else {
        return Err(IndexFault::Damaged);
    };
    let (body, check) = bytes.split_at(body_len);
    if blake3::hash(body).as_bytes() != check || body[..8] != MAGIC {
        return Err(IndexFault::Damaged);
    }
    match le_u16(&body[8..10]) {
        VERSION | VERSION_WITHOUT_CODEC => {}
        version => return Err(IndexFault::Version(version)),
    }
    if body[16..32] != id.0 {
        return Err(IndexFault::Damaged);
    }
    let mut rest = &body[HEAD_LEN..];
    let mut records = Vec::new();
    for (kind, count) in KINDS.into_iter().zip(body[40..HEAD_LEN].chunks_exact(4)) {
        let entry_len = if has_content(kind) { PLACE_LEN + CONTENT_LEN } else { PLACE_LEN };
        let len = entry_len.checked_mul(le_u32(count) as usize).ok_or(IndexFault::Damaged)?;
        let (entries, behind) = rest.split_at_checked(len).ok_or(IndexFault::Damaged)?;
        records.extend(entries.chunks_exact(entry_len).map(|entry| decode_entry(kind, entry)));
        rest = behind;
    }
    if !rest.is_empty() {
        return Err(IndexFault::Damaged);
    }
    Ok(PackIndex { records, committed_end: le_u64(&body[32..40]) })
}

fn decode_entry(kind: Kind, entry: &[u8]) -> PackedRecord {
    let content = has_content(kind).then(|| {
        let sha256 = Sha256::from_slice(&entry[52..84]).expect("the slice is 32 bytes long");
        (le_u64(&entry[44..52]), sha256)
    });
    let stored = le_u32(&entry[40..44]);
    PackedRecord {
        kind,
        digest: Digest::from_slice(&entry[..32]).expect("the slice is 32 bytes long"),
        offset: le_u64(&entry[32..40]),
        stored: stored & ((1 << CODEC_SHIFT) - 1),
        codec: (stored >> CODEC_SHIFT) as u8,
        content,
    }
}

fn has_content(kind: Kind) -> bool {
    matches!(kind, Kind::Blob | Kind::Tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (PackId, PackIndex) {
        let found = |kind, name: &[u8], content| PackedRecord {
            kind,
            digest: Digest::of(name),
            offset: 32,
            stored: 5,
            codec: 3,
            content,
        };
        let content = Some((9, Sha256::of(b"x")));
        let mut records = vec![
            found(Kind::Tree, b"t", content),
            found(Kind::Chunk, b"c", None),
            found(Kind::Blob, b"b", content),
            found(Kind::Page, b"p", None),
        ];
        records.sort_unstable_by_key(|found| (found.kind, found.digest, found.offset));
        (PackId([3; 16]), PackIndex { records, committed_end: 500 })
    }

    #[test]
    fn an_index_reads_back_for_its_own_pack_only() {
        let (id, index) = sample();
        let bytes = encode(&index, id);
        let back = decode(id, &bytes).ok().unwrap();
        assert_eq!((back.records, back.committed_end), (index.records, 500));
        assert!(decode(PackId([4; 16]), &bytes).is_err());
    }

    #[test]
    fn every_flip_and_every_cut_is_noticed() {
        let (id, index) = sample();
        let good = encode(&index, id);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(matches!(decode(id, &bad), Err(IndexFault::Damaged)), "byte {at}");
            assert!(matches!(decode(id, &good[..at]), Err(IndexFault::Damaged)), "cut at {at}");
        }
    }
}
