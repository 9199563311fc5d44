//! Making sure that what is here stays: writing again what a collection may remove.

use stemma_core::Digest;

use super::{
    import::{holds_all, import_unread},
    records::Addition,
};
use crate::{
    blob::read_chunk,
    codec::{self, Hint},
    error::{Result, StoreError},
    exchange::{RecordId, RecordKind, export, members, recipes},
    pack::{CODEC_RAW, Kind},
};

/// Keeps a content with all that it takes to read it; `false` if it, or a file of a tree, is not here whole.
pub(crate) fn keep(addition: &mut Addition, digest: &Digest) -> Result<bool> {
    addition.check_usable()?;
    let mut waiting = recipes(addition.holdings(), digest);
    if waiting.is_empty() {
        addition.holdings().index().refresh()?;
        waiting = recipes(addition.holdings(), digest);
    }
    let mut is_here = !waiting.is_empty();
    while let Some(recipe) = waiting.pop() {
        is_here &= keep_record(addition, &recipe)?;
        if recipe.kind == RecordKind::Tree {
            waiting.extend(members(addition.holdings(), &recipe.digest)?);
        }
    }
    Ok(is_here)
}

pub(crate) fn keep_record(addition: &mut Addition, id: &RecordId) -> Result<bool> {
    if holds_all(addition, id) {
        return Ok(true);
    }
    // what was kept a moment ago may by now be nowhere but in this addition, so nothing is read back or depended on
    let record = match id.kind {
        RecordKind::Chunk => return keep_chunk(addition, &id.digest),
        _ => export(addition.holdings(), id)?,
    };
    let Some(record) = record else {
        return Ok(false);
    };
    for part in record.needs() {
        // what is left of content that is being collected
        if !keep_record(addition, part)? {
            return Ok(false);
        }
    }
    import_unread(addition, &record)?;
    Ok(true)
}

fn keep_chunk(addition: &mut Addition, digest: &Digest) -> Result<bool> {
    let plain = match read_chunk(addition.holdings(), digest) {
        Ok(Some(plain)) => plain,
        Ok(None) | Err(StoreError::Corrupt { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let encoded = codec::encode(&plain, &Hint::default(), None);
    let len = plain.len() as u64;
    let (codec, payload) = encoded.map_or((CODEC_RAW, plain), |encoded| (encoded.codec, encoded.payload));
    addition.append(Kind::Chunk, *digest, codec, len, &payload)?;
    Ok(true)
}
