//! Recipes and the pages of long ones, read where they are stored.

use stemma_core::Digest;

use super::fault::recipe_fault;
use crate::{
    error::Result,
    holdings::Holdings,
    index::CopyFault,
    pack::{Kind, Piece, Recipe, decode_page},
};

/// Returns the recipe of a blob or tree; `None` if there is none of this name.
pub(crate) fn read_recipe(holdings: &Holdings, kind: Kind, digest: &Digest) -> Result<Option<Recipe>> {
    holdings.index().fetch(kind, digest, |_, payload| {
        Recipe::decode(*digest, payload).map_err(|fault| recipe_fault(holdings, fault))
    })
}

/// Returns the chunks of a page that begins at `start` of its blob; `None` if there is none of this name.
pub(crate) fn read_page(holdings: &Holdings, digest: &Digest, start: u64) -> Result<Option<Vec<Piece>>> {
    holdings.index().fetch(Kind::Page, digest, |_, payload| {
        if Digest::of(payload) != *digest {
            return Err(CopyFault::Damaged("its bytes are other content".to_owned()));
        }
        decode_page(payload, start).map_err(|fault| recipe_fault(holdings, fault))
    })
}
