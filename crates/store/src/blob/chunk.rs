//! Chunks: decoded, with whatever they depend on, and checked against their names.

use std::io;

use stemma_core::Digest;

use super::fault::unsupported;
use crate::{
    codec::{self, Base, Dependency},
    error::{Result, StoreError},
    holdings::Holdings,
    index::CopyFault,
    pack::{CHUNK_MAX, Header, Kind},
};

/// More than writers make ([`codec::DEPTH_MAX`]): a base that was lost may have been written again as a delta.
pub(crate) const READ_DEPTH_MAX: u8 = 16;

/// Returns the plain bytes of a chunk; `None` if there is none of this name.
pub(crate) fn read_chunk(holdings: &Holdings, digest: &Digest) -> Result<Option<Vec<u8>>> {
    Ok(read_base(holdings, digest)?.map(|base| base.plain))
}

/// The same, with how many other chunks it depends on.
pub(crate) fn read_base(holdings: &Holdings, digest: &Digest) -> Result<Option<Base>> {
    read_dependent(holdings, digest, 0)
}

fn read_dependent(holdings: &Holdings, digest: &Digest, dependents: u8) -> Result<Option<Base>> {
    holdings.index().fetch(Kind::Chunk, digest, |header, payload| decode_chunk(holdings, header, payload, dependents))
}

/// Returns the plain bytes if they are what the header's name says. `dependents` counts the deltas that led here.
pub(crate) fn decode_chunk(
    holdings: &Holdings,
    header: &Header,
    payload: &[u8],
    dependents: u8,
) -> std::result::Result<Base, CopyFault> {
    let base = match Dependency::of(header.codec, payload) {
        Some(dependency) => Some(read_dependency(holdings, &dependency, dependents)?),
        None => None,
    };
    let base_bytes = base.as_ref().map_or(&[][..], |base| &base.plain);
    let plain = decode_with_base(holdings, header, payload, base_bytes)?;
    Ok(Base { digest: header.digest, depth: base.map_or(0, |base| base.depth + 1), plain })
}

/// The same where the bytes of what it depends on are known.
pub(crate) fn decode_with_base(
    holdings: &Holdings,
    header: &Header,
    payload: &[u8],
    base: &[u8],
) -> std::result::Result<Vec<u8>, CopyFault> {
    if header.plain > CHUNK_MAX {
        return Err(CopyFault::Damaged("it is longer than any chunk".to_owned()));
    }
    let plain = codec::decode(header.codec, payload, header.plain as usize, base);
    let plain = plain.map_err(|error| match error.kind() {
        io::ErrorKind::Unsupported => unsupported(holdings, "codec", header.codec),
        _ => CopyFault::Damaged(format!("it does not decode: {error}")),
    })?;
    if Digest::of(&plain) != header.digest {
        return Err(CopyFault::Damaged("its bytes are other content".to_owned()));
    }
    Ok(plain)
}

/// Returns the plain bytes that a recipe holds if they are what its name says.
pub(super) fn unpack(
    holdings: &Holdings,
    digest: &Digest,
    codec: u8,
    stored: Vec<u8>,
    size: u64,
) -> std::result::Result<Vec<u8>, CopyFault> {
    let header = Header { codec, plain: size, ..Header::for_payload(Kind::Chunk, codec, *digest, size, &[]) };
    decode_with_base(holdings, &header, &stored, &[])
}

/// Reads what a delta depends on; what is wrong with that is wrong with the delta.
fn read_dependency(
    holdings: &Holdings,
    dependency: &Dependency,
    dependents: u8,
) -> std::result::Result<Base, CopyFault> {
    let Dependency { base, .. } = dependency;
    if dependents >= READ_DEPTH_MAX {
        return Err(too_deep());
    }
    match read_dependent(holdings, base, dependents + 1) {
        Ok(Some(base)) => Ok(base),
        Ok(None) => Err(CopyFault::Damaged(format!("its base {base} is missing"))),
        Err(StoreError::Corrupt { what, .. }) => Err(CopyFault::Damaged(format!("its base {base} is damaged: {what}"))),
        Err(error) => Err(CopyFault::Other(error)),
    }
}

pub(crate) fn too_deep() -> CopyFault {
    CopyFault::Damaged(format!("more than {READ_DEPTH_MAX} chunks depend on each other"))
}
