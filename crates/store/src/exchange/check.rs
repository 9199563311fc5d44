//! Whether a record that came from elsewhere is what its name says.

use sha2::Digest as _;
use stemma_core::Digest;

use super::record::Record;
use crate::{
    blob::{BlobReader, READ_DEPTH_MAX, decode_chunk, decode_with_base, recipe_fault, too_deep},
    codec::Base,
    error::{Result, StoreError},
    holdings::Holdings,
    index::CopyFault,
    pack::{Kind, Recipe},
};

/// Refuses a record that is not what its name says; returns what a chunk holds. `base` is what it depends on, if that is
/// at hand; otherwise it is read from the store.
pub(crate) fn check(holdings: &Holdings, record: &Record, base: Option<&Base>) -> Result<Option<Base>> {
    let Record { header, payload, .. } = record;
    let digest = header.digest;
    match header.kind {
        Kind::Chunk => return check_chunk(holdings, record, base).map(Some).map_err(|fault| fault.into_error(digest)),
        Kind::Page if Digest::of(payload) == digest => {}
        Kind::Page | Kind::Commit => return Err(StoreError::corrupt(digest, "its bytes are other content")),
        Kind::Blob | Kind::Tree => {
            let recipe = Recipe::decode(digest, payload);
            check_recipe(holdings, &digest, recipe.map_err(|fault| recipe_fault(holdings, fault).into_error(digest))?)?;
        }
    }
    Ok(None)
}

fn check_chunk(holdings: &Holdings, record: &Record, base: Option<&Base>) -> std::result::Result<Base, CopyFault> {
    let Record { header, payload, .. } = record;
    let Some(base) = base else {
        return decode_chunk(holdings, header, payload, 0);
    };
    if base.depth >= READ_DEPTH_MAX {
        return Err(too_deep());
    }
    let plain = decode_with_base(holdings, header, payload, &base.plain)?;
    Ok(Base { digest: header.digest, depth: base.depth + 1, plain })
}

/// Reads the content by the recipe: a recipe's own check proves only that somebody wrote it for this name.
fn check_recipe(holdings: &Holdings, digest: &Digest, recipe: Recipe) -> Result<()> {
    let expected = recipe.sha256;
    let mut sha256 = sha2::Sha256::new();
    let reader = BlobReader::of_recipe(holdings, digest, recipe).map_err(|fault| fault.into_error(*digest))?;
    reader.copy_to(&mut |chunk| {
        sha256.update(chunk);
        Ok(())
    })?;
    let found: [u8; 32] = sha256.finalize().into();
    if expected.as_bytes() != &found {
        return Err(StoreError::corrupt(*digest, "its recipe gives it another SHA-256"));
    }
    Ok(())
}
