//! Packs that are made to be sent away.

use super::record::Record;
use crate::pack::{Group, PACK_HEADER_LEN, PackId, PackIndex, PackedRecord, encode_pack_header};

/// A pack that belongs to no folder: one group of records, made to be sent away piece by piece.
pub struct PackBuilder {
    id: PackId,
    /// Bytes that were not yet taken.
    bytes: Vec<u8>,
    end: u64,
    group: Group,
    records: Vec<PackedRecord>,
}

/// The last bytes of a pack, and the index that goes with it.
#[derive(Debug)]
pub struct FinishedPack {
    pub rest: Vec<u8>,
    pub index: Vec<u8>,
    /// Length of the whole pack.
    pub len: u64,
}

impl Default for PackBuilder {
    fn default() -> Self {
        let id = PackId::generate();
        let end = PACK_HEADER_LEN as u64;
        Self { id, bytes: encode_pack_header(id).to_vec(), end, group: Group::starting_at(end), records: Vec::new() }
    }
}

impl PackBuilder {
    pub fn id(&self) -> PackId {
        self.id
    }

    /// Length of the pack so far.
    pub fn len(&self) -> u64 {
        self.end
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes that can be taken.
    pub fn ready(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a record as it is, under a header for its new place.
    pub fn add(&mut self, record: &Record) {
        self.records.push(PackedRecord::new(&record.header, self.end, record.content));
        let header = record.header.encode(self.id, self.end);
        self.group.add(&header);
        self.append(&header, &record.payload);
    }

    fn append(&mut self, header: &[u8], payload: &[u8]) {
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(payload);
        self.end += (header.len() + payload.len()) as u64;
    }

    /// Takes the next bytes of the pack, at most `len`.
    pub fn take(&mut self, len: usize) -> Vec<u8> {
        let rest = self.bytes.split_off(len.min(self.bytes.len()));
        std::mem::replace(&mut self.bytes, rest)
    }

    /// Ends the group and the pack.
    pub fn finish(mut self) -> FinishedPack {
        let (header, payload) = self.group.commit_record();
        for _ in 0..2 {
            let header = header.encode(self.id, self.end);
            self.append(&header, &payload);
        }
        let mut index = PackIndex { records: self.records, committed_end: self.end };
        FinishedPack { rest: self.bytes, index: index.encode(self.id), len: self.end }
    }
}
