//! Taking records out, and saying what hangs on them.

use bytes::Bytes;
use stemma_core::Digest;

use super::record::{Record, RecordFault, RecordId, RecordKind};
use crate::{
    blob::{BlobReader, check_record, recipe_fault},
    error::{Result, StoreError},
    holdings::Holdings,
    index::CopyFault,
    pack::{Recipe, RecipeFault},
    tree::{LEAF_BYTES_MAX, TreeChild, children_in, tree_children},
};

/// Takes a record out after checking that it is what its name says; damage does not travel.
pub(crate) fn export(holdings: &Holdings, id: &RecordId) -> Result<Option<Record>> {
    holdings.index().fetch(id.kind.inner(), &id.digest, |header, payload| {
        check_record(holdings, header, payload)?;
        Record::new(*header, Bytes::copy_from_slice(payload)).map_err(|fault| match fault {
            RecordFault::Damaged(what) => CopyFault::Damaged(what.to_owned()),
            RecordFault::Unknown(version) => recipe_fault(holdings, RecipeFault::Unknown(version)),
        })
    })
}

/// The recipes under this name, of a blob, a tree, or both.
pub(crate) fn recipes(holdings: &Holdings, digest: &Digest) -> Vec<RecordId> {
    let ids = [RecordKind::Blob, RecordKind::Tree].map(|kind| RecordId::new(kind, *digest));
    ids.into_iter().filter(|id| holdings.index().has(id.kind.inner(), &id.digest)).collect()
}

/// The recipes of everything that a tree names: files, or, in a big tree, trees that name more.
pub(crate) fn members(holdings: &Holdings, tree: &Digest) -> Result<Vec<RecordId>> {
    Ok(tree_children(holdings, tree)?.iter().map(member).collect())
}

/// The same of a tree whose chunks are here and whose recipe need not be.
pub(crate) fn members_by(holdings: &Holdings, recipe: &Record) -> Result<Vec<RecordId>> {
    let digest = recipe.header.digest;
    let decoded = Recipe::decode(digest, &recipe.payload);
    let decoded = decoded.map_err(|_| StoreError::corrupt(digest, "its recipe is damaged"))?;
    let reader = BlobReader::of_recipe(holdings, &digest, decoded).map_err(|fault| fault.into_error(digest))?;
    Ok(children_in(holdings, &digest, reader.into_vec(LEAF_BYTES_MAX)?)?.iter().map(member).collect())
}

fn member(child: &TreeChild) -> RecordId {
    match child {
        TreeChild::Node(digest) => RecordId::new(RecordKind::Tree, *digest),
        TreeChild::File { digest, .. } => RecordId::new(RecordKind::Blob, *digest),
    }
}
