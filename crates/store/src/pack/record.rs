//! The header before every record of a pack.
//!
//! All numbers are little-endian.
//!
//! | bytes  | meaning                                                        |
//! | ------ | -------------------------------------------------------------- |
//! | 0..4   | magic                                                          |
//! | 4      | kind                                                           |
//! | 5      | codec of the payload                                           |
//! | 6..8   | reserved, zero                                                 |
//! | 8..12  | stored length: bytes of payload that follow the header         |
//! | 12..16 | CRC-32 of the payload                                          |
//! | 16..24 | plain length: bytes after decoding                             |
//! | 24..56 | digest that names the record                                   |
//! | 56..60 | CRC-32 of pack id, offset of this header, and bytes 0..56      |
//!
//! The last field binds a header to its place, so that a pack stored inside a pack (somebody adds a store's
//! folder as data) can never be mistaken for records when a damaged pack is searched for survivors.

use stemma_core::{Digest, Sha256};

use super::id::PackId;
use crate::little_endian::{le_u32, le_u64};

pub(crate) const HEADER_LEN: usize = 60;
pub(crate) const MAGIC: [u8; 4] = [0x9d, b'S', b'R', b'c'];

/// Longest payload, stored or plain; bounds every allocation that a header asks for.
pub(crate) const PAYLOAD_MAX: u64 = 32 << 20;

/// Longest plain chunk that readers accept; writers make much smaller ones.
pub(crate) const CHUNK_MAX: u64 = 4 << 20;

pub(crate) const CODEC_RAW: u8 = 0;
pub(crate) const CODEC_ZSTD: u8 = 1;
pub(crate) const CODEC_PLANES: u8 = 2;
pub(crate) const CODEC_PLANES_DELTA: u8 = 3;
pub(crate) const CODEC_ZSTD_DELTA: u8 = 4;
/// Of a recipe that holds the content; how that is packed it says itself.
pub(crate) const CODEC_INLINE: u8 = 5;

/// Whether a payload can be read only together with another chunk.
pub(crate) fn is_delta(codec: u8) -> bool {
    matches!(codec, CODEC_PLANES_DELTA | CODEC_ZSTD_DELTA)
}

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A piece of a blob, named by the BLAKE3 of its plain bytes.
    Chunk = 1,
    /// A page of a long recipe, named by the BLAKE3 of its bytes.
    Page = 2,
    /// The recipe of a blob, named by the BLAKE3 of the whole blob.
    Blob = 3,
    /// The recipe of a tree's canonical bytes, named by their BLAKE3.
    Tree = 4,
    /// The end of a group of records that count from now on.
    Commit = 0x7f,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Chunk, Self::Page, Self::Blob, Self::Tree, Self::Commit].into_iter().find(|kind| *kind as u8 == byte)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub kind: Kind,
    pub codec: u8,
    pub stored: u32,
    pub payload_crc: u32,
    pub plain: u64,
    pub digest: Digest,
}

/// Why 60 bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Not a header of this pack at this place.
    NotARecord,
    /// A whole header with a kind, flag or length that this program does not know.
    Unknown(u8),
}

impl Header {
    pub fn for_payload(kind: Kind, codec: u8, digest: Digest, plain: u64, payload: &[u8]) -> Self {
        let stored = u32::try_from(payload.len()).expect("payloads are bounded by PAYLOAD_MAX");
        Self { kind, codec, stored, payload_crc: crc32fast::hash(payload), plain, digest }
    }

    pub fn encode(&self, pack: PackId, offset: u64) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4] = self.kind as u8;
        bytes[5] = self.codec;
        bytes[8..12].copy_from_slice(&self.stored.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.plain.to_le_bytes());
        bytes[24..56].copy_from_slice(self.digest.as_bytes());
        let crc = header_crc(pack, offset, &bytes[..56]);
        bytes[56..60].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub fn parse(bytes: &[u8], pack: PackId, offset: u64) -> Result<Self, HeaderFault> {
        let bytes: &[u8; HEADER_LEN] = bytes.try_into().map_err(|_| HeaderFault::NotARecord)?;
        if bytes[0..4] != MAGIC || le_u32(&bytes[56..60]) != header_crc(pack, offset, &bytes[..56]) {
            return Err(HeaderFault::NotARecord);
        }
        let kind = Kind::from_byte(bytes[4]).ok_or(HeaderFault::Unknown(bytes[4]))?;
        let header = Self {
            kind,
            codec: bytes[5],
            stored: le_u32(&bytes[8..12]),
            payload_crc: le_u32(&bytes[12..16]),
            plain: le_u64(&bytes[16..24]),
            digest: Digest::from_slice(&bytes[24..56]).expect("the slice is 32 bytes long"),
        };
        let too_long = u64::from(header.stored) > PAYLOAD_MAX || header.plain > PAYLOAD_MAX;
        if bytes[6..8] != [0, 0] || too_long {
            return Err(HeaderFault::Unknown(bytes[4]));
        }
        Ok(header)
    }

    pub fn payload_is_whole(&self, payload: &[u8]) -> bool {
        payload.len() == self.stored as usize && crc32fast::hash(payload) == self.payload_crc
    }

    /// Bytes of header and payload together.
    pub fn record_len(&self) -> u64 {
        HEADER_LEN as u64 + u64::from(self.stored)
    }
}

/// A record where it lies in a pack; of recipes with the facts that an index keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PackedRecord {
    pub kind: Kind,
    pub digest: Digest,
    pub offset: u64,
    pub stored: u32,
    /// Of the payload; tells chunks that depend on another one from those that don't.
    pub codec: u8,
    /// Size and SHA-256 of the content of a recipe.
    pub content: Option<(u64, Sha256)>,
}

impl PackedRecord {
    pub fn new(header: &Header, offset: u64, content: Option<(u64, Sha256)>) -> Self {
        let Header { kind, codec, digest, stored, .. } = *header;
        Self { kind, digest, offset, stored, codec, content }
    }
}

fn header_crc(pack: PackId, offset: u64, header: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&pack.0);
    crc.update(&offset.to_le_bytes());
    crc.update(header);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header::for_payload(Kind::Chunk, CODEC_RAW, Digest::of(b"x"), 1, b"x")
    }

    #[test]
    fn a_header_reads_back_only_in_its_own_pack_and_place() {
        let pack = PackId([7; 16]);
        let bytes = header().encode(pack, 32);
        assert_eq!(Header::parse(&bytes, pack, 32), Ok(header()));
        assert_eq!(Header::parse(&bytes, pack, 33), Err(HeaderFault::NotARecord));
        assert_eq!(Header::parse(&bytes, PackId([8; 16]), 32), Err(HeaderFault::NotARecord));
        assert_eq!(Header::parse(&bytes[1..], pack, 32), Err(HeaderFault::NotARecord));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let pack = PackId([7; 16]);
        for bit in 0..HEADER_LEN * 8 {
            let mut bytes = header().encode(pack, 32);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::parse(&bytes, pack, 32).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_kind_is_told_apart_from_damage() {
        let pack = PackId([7; 16]);
        let mut bytes = header().encode(pack, 0);
        bytes[4] = 9;
        let crc = header_crc(pack, 0, &bytes[..56]);
        bytes[56..60].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::parse(&bytes, pack, 0), Err(HeaderFault::Unknown(9)));
    }
}
