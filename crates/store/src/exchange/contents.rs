//! What lies in a pack that is elsewhere, by its index.

use super::record::{RecordId, RecordKind};
use crate::pack::{HEADER_LEN, IndexFault, PACK_HEADER_LEN, PAYLOAD_MAX, PackId, PackIndex, PackedRecord};

/// Where a record lies in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace {
    pub id: RecordId,
    pub offset: u64,
    /// Header and payload.
    pub len: u64,
}

/// What an index says of its pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackContents {
    pub records: Vec<RecordPlace>,
    /// Length of the pack.
    pub len: u64,
}

impl PackContents {
    /// Reads the bytes of an index file; refuses one that names a place outside of its pack.
    pub fn parse(pack: PackId, bytes: &[u8]) -> std::result::Result<Self, IndexFault> {
        let index = PackIndex::decode(pack, bytes)?;
        let place = |found: &PackedRecord| {
            let kind = RecordKind::from_inner(found.kind)?;
            let len = HEADER_LEN as u64 + u64::from(found.stored);
            let lies_within = found.offset >= PACK_HEADER_LEN as u64
                && u64::from(found.stored) <= PAYLOAD_MAX
                && found.offset.checked_add(len)? <= index.committed_end;
            lies_within.then(|| RecordPlace { id: RecordId::new(kind, found.digest), offset: found.offset, len })
        };
        let records = index.records.iter().map(place).collect::<Option<Vec<_>>>().ok_or(IndexFault::Damaged)?;
        Ok(Self { records, len: index.committed_end })
    }
}
