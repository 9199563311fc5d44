//! Whether a record is what its name says, whatever it holds.

use stemma_core::Digest;

use super::{
    chunk::{decode_chunk, read_chunk},
    fault::recipe_fault,
    reader::BlobReader,
    recipe::read_page,
};
use crate::{
    error::Result,
    holdings::Holdings,
    index::CopyFault,
    pack::{Header, Kind, Recipe},
};

/// Checks the bytes of a record in hand, beyond their CRC.
pub(crate) fn check_record(holdings: &Holdings, header: &Header, payload: &[u8]) -> std::result::Result<(), CopyFault> {
    match header.kind {
        Kind::Chunk => decode_chunk(holdings, header, payload, 0).map(drop),
        Kind::Page if Digest::of(payload) != header.digest => {
            Err(CopyFault::Damaged("its bytes are other content".to_owned()))
        }
        Kind::Blob | Kind::Tree => {
            let recipe = Recipe::decode(header.digest, payload).map_err(|fault| recipe_fault(holdings, fault))?;
            BlobReader::of_recipe(holdings, &header.digest, recipe).map(drop)
        }
        Kind::Page | Kind::Commit => Ok(()),
    }
}

/// Reads a part of a blob only to see whether it is whole.
pub(crate) fn read_back(holdings: &Holdings, kind: Kind, digest: &Digest) -> Result<()> {
    match kind {
        Kind::Page => read_page(holdings, digest, 0).map(drop),
        Kind::Chunk => read_chunk(holdings, digest).map(drop),
        Kind::Blob | Kind::Tree | Kind::Commit => Ok(()),
    }
}
