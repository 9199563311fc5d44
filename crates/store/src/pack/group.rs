//! A group of records, and the commit record that makes it count.

use stemma_core::Digest;

use super::record::{CODEC_RAW, HEADER_LEN, Header, Kind};
use crate::little_endian::{le_u32, le_u64};

pub(super) const COMMIT_LEN: usize = 16;

/// The records since the last commit, as the next commit record describes them.
pub(crate) struct Group {
    start: u64,
    pub count: u32,
    headers: blake3::Hasher,
}

/// The content of a commit record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Commit {
    group_start: u64,
    count: u32,
    /// BLAKE3 of the group's headers, which hold the checks of their payloads.
    headers: Digest,
}

impl Group {
    pub fn starting_at(start: u64) -> Self {
        Self { start, count: 0, headers: blake3::Hasher::new() }
    }

    pub fn add(&mut self, header: &[u8; HEADER_LEN]) {
        self.count += 1;
        self.headers.update(header);
    }

    /// Header and payload of the record that ends this group.
    pub fn commit_record(&self) -> (Header, [u8; COMMIT_LEN]) {
        let (digest, payload) = self.commit().encode();
        (Header::for_payload(Kind::Commit, CODEC_RAW, digest, COMMIT_LEN as u64, &payload), payload)
    }

    pub(super) fn commit(&self) -> Commit {
        let headers = Digest::from_bytes(*self.headers.finalize().as_bytes());
        Commit { group_start: self.start, count: self.count, headers }
    }
}

impl Commit {
    fn encode(&self) -> (Digest, [u8; COMMIT_LEN]) {
        let mut payload = [0; COMMIT_LEN];
        payload[..8].copy_from_slice(&self.group_start.to_le_bytes());
        payload[8..12].copy_from_slice(&self.count.to_le_bytes());
        (self.headers, payload)
    }

    pub fn decode(headers: Digest, payload: &[u8]) -> Option<Self> {
        let payload: &[u8; COMMIT_LEN] = payload.try_into().ok()?;
        // the last four bytes are reserved
        (payload[12..] == [0; 4]).then(|| Self {
            group_start: le_u64(&payload[..8]),
            count: le_u32(&payload[8..12]),
            headers,
        })
    }
}
