//! Whether one content can be read and is what its name says, and what is wrong if not.

use serde::{Deserialize, Serialize};
use stemma_core::Digest;

use crate::{
    blob::BlobReader,
    damage::Damage,
    error::{Result, StoreError},
    holdings::Holdings,
    pack::{Injury, Kind, PackId},
    tree::{TreeChild, tree_children},
};

/// What a full verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    pub blobs: u64,
    pub trees: u64,
    /// Plain bytes of the blobs and trees that were read.
    pub bytes: u64,
    pub damaged: Vec<Damage>,
}

pub(super) fn verify_content(
    holdings: &Holdings,
    kind: Kind,
    digest: Digest,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let mut read = 0;
    let checked = BlobReader::open(holdings.clone(), kind, &digest).and_then(|reader| {
        reader.copy_to(&mut |chunk| {
            read += chunk.len() as u64;
            progress(read);
            Ok(())
        })
    });
    report.bytes += read;
    match kind {
        Kind::Tree => report.trees += 1,
        _ => report.blobs += 1,
    }
    let checked = match kind {
        Kind::Tree => checked.and_then(|()| verify_tree(holdings, digest)),
        _ => checked,
    };
    let what = match checked {
        Ok(()) => return Ok(()),
        Err(StoreError::Corrupt { what, .. }) => what,
        Err(StoreError::NotFound(absent)) => format!("`{absent}` is not in the store"),
        Err(error) => return Err(error),
    };
    report.damaged.push(Damage { digest: Some(digest), pack: None, offset: None, what });
    Ok(())
}

/// A node of a tree whose bytes are right must also decode and find all that it names.
fn verify_tree(holdings: &Holdings, digest: Digest) -> Result<()> {
    let children = tree_children(holdings, &digest)?;
    let files = children.iter().filter_map(|child| match child {
        TreeChild::File { digest, .. } => Some(digest),
        TreeChild::Node(_) => None,
    });
    holdings.require(Kind::Blob, files)?;
    let nodes = children.iter().filter_map(|child| match child {
        TreeChild::Node(digest) => Some(digest),
        TreeChild::File { .. } => None,
    });
    holdings.require(Kind::Tree, nodes)
}

/// Names the content too if nothing else will: one whose only recipe rotted is not known to be here.
pub(super) fn of_injury(holdings: &Holdings, id: PackId, injury: Injury) -> Damage {
    let Injury { offset, record, what } = injury;
    let lost = record.filter(|(kind, digest)| {
        matches!(kind, Kind::Blob | Kind::Tree) && holdings.index().content(*kind, digest).is_none()
    });
    Damage { digest: lost.map(|(_, digest)| digest), pack: Some(format!("{id}.pack")), offset: Some(offset), what }
}

/// Whether a content can't be read because a collection took it away, or a part of it so far.
pub(super) fn is_garbage(holdings: &Holdings, kind: Kind, digest: &Digest) -> Result<bool> {
    let marks = holdings.marks()?;
    let places = holdings.index().places_of(kind, digest);
    Ok(places.into_iter().all(|(pack, offset)| marks.get(pack, offset).is_some()))
}
