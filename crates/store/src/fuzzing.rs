//! What somebody can send who knows the format: records whose checks are right, whatever is in them.

use bytes::Bytes;
use stemma_core::Digest;

use crate::{
    exchange::RecordKind,
    pack::PackId,
    pack::{Header, PAYLOAD_MAX},
};

/// A record as it would lie at `offset` of a pack.
pub fn crafted_record(
    (pack, offset): (PackId, u64),
    (kind, digest): (RecordKind, Digest),
    codec: u8,
    plain: u64,
    payload: &[u8],
) -> Bytes {
    assert!(payload.len() as u64 <= PAYLOAD_MAX, "no header announces so much");
    let header = Header::for_payload(kind.inner(), codec, digest, plain, payload);
    [header.encode(pack, offset).as_slice(), payload].concat().into()
}
