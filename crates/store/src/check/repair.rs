//! Putting damaged content back, from wherever it can be had.

use std::{collections::BTreeSet, io::Read};

use serde::{Deserialize, Serialize};
use stemma_core::Digest;

use super::content::{VerifyReport, verify_content};
use crate::{
    addition::{Addition, HeldContent, put_reader, put_tree_node},
    damage::Damage,
    error::{Result, StoreError},
    gc,
    holdings::Holdings,
    pack::Kind,
    tree::LEAF_BYTES_MAX,
};

/// Has the plain bytes of content, or nothing.
pub type Source<'a> = dyn FnMut(&Digest) -> Result<Option<Box<dyn Read>>> + 'a;

/// What was put back and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairReport {
    /// Contents that were put back, and read back whole afterwards.
    pub repaired: Vec<Digest>,
    /// Contents that nobody has.
    pub lost: Vec<Digest>,
    /// What went wrong with others, or is still wrong with a pack.
    pub failed: Vec<Damage>,
    /// Packs that held something damaged and are gone, since all of them is elsewhere now.
    pub packs_removed: u64,
}

/// Puts back each content that is said to be damaged, from the plain bytes that `source` has of it, and reads it back.
/// Then replaces the packs that hold something damaged, if nothing in them is lost.
pub(crate) fn repair(holdings: &Holdings, damaged: &[Damage], source: &mut Source<'_>) -> Result<RepairReport> {
    let mut report = RepairReport::default();
    let contents: BTreeSet<Digest> = damaged.iter().filter_map(|damage| damage.digest).collect();
    for digest in contents {
        let Some(bytes) = source(&digest)? else {
            report.lost.push(digest);
            continue;
        };
        match put_back(holdings, &digest, bytes).and_then(|()| read_back(holdings, &digest)) {
            Ok(None) => report.repaired.push(digest),
            Ok(Some(damage)) => report.failed.push(damage),
            Err(StoreError::Corrupt { what, .. }) => report.failed.push(of_content(digest, what)),
            Err(StoreError::Source(error)) => report.failed.push(of_content(digest, error.to_string())),
            Err(error) => return Err(error),
        }
    }
    let names = damaged.iter().filter_map(|damage| damage.pack.as_deref()?.strip_suffix(".pack"));
    let packs = names.filter_map(|name| name.parse().ok()).collect();
    let (removed, still_damaged) = gc::replace_packs(holdings, packs)?;
    report.packs_removed = removed;
    report.failed.extend(still_damaged);
    Ok(report)
}

/// Stores bytes again if they are the content of this name.
fn put_back(holdings: &Holdings, digest: &Digest, mut bytes: Box<dyn Read>) -> Result<()> {
    let is_blob = holdings.index().has(Kind::Blob, digest);
    let mut addition = Addition::new(holdings.clone(), HeldContent::ReadBack);
    if holdings.index().has(Kind::Tree, digest) || !is_blob {
        let mut beginning = Vec::new();
        bytes.by_ref().take(LEAF_BYTES_MAX).read_to_end(&mut beginning).map_err(StoreError::Source)?;
        if put_tree_node(&mut addition, digest, beginning.clone()).is_ok() {
            if is_blob {
                put_reader(&mut addition, beginning.as_slice())?;
            }
            return addition.commit();
        }
        bytes = Box::new(std::io::Cursor::new(beginning).chain(bytes));
    }
    let info = put_reader(&mut addition, bytes)?;
    if info.digest != *digest {
        return Err(StoreError::corrupt(*digest, format!("what came back is other content, `{}`", info.digest)));
    }
    addition.commit()
}

/// What is wrong with a content, if anything.
fn read_back(holdings: &Holdings, digest: &Digest) -> Result<Option<Damage>> {
    let mut report = VerifyReport::default();
    for kind in [Kind::Blob, Kind::Tree] {
        if holdings.index().has(kind, digest) {
            verify_content(holdings, kind, *digest, &mut report, &mut |_| {})?;
        }
    }
    Ok(report.damaged.pop())
}

fn of_content(digest: Digest, what: String) -> Damage {
    Damage { digest: Some(digest), pack: None, offset: None, what }
}
