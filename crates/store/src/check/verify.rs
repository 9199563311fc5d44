//! Reading everything back: are all bytes what they were when they were put?

use std::{fs::File, io, path::Path};

use stemma_core::Digest;

use super::content::{VerifyReport, is_garbage, of_injury, verify_content};
use crate::{
    damage::Damage,
    error::{IoContext as _, Result, StoreError},
    gc,
    holdings::Holdings,
    marks::{self, MarksId},
    pack::{self, Kind, PackId},
};

/// Checks every record of every pack, then reads every blob and tree and checks its digest.
///
/// `progress` gets the bytes read so far, and how many there are in all. Damage is reported, not returned as an
/// error; an error means that the store could not be read.
pub(crate) fn verify(holdings: &Holdings, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport> {
    holdings.index().refresh()?;
    let before = marks::peek(holdings.root())?;
    let packs = holdings.index().packs();
    let contents: Vec<(Kind, Digest, u64)> = [Kind::Blob, Kind::Tree]
        .into_iter()
        .flat_map(|kind| holdings.index().contents(kind).into_iter().map(move |(d, c)| (kind, d, c.size)))
        .collect();
    let pack_bytes: u64 = packs.iter().map(|(_, end)| end).sum();
    let total = pack_bytes + contents.iter().map(|(_, _, size)| size).sum::<u64>();
    let mut done = 0;
    let mut report = VerifyReport::default();
    for (id, committed_end) in packs {
        report.damaged.extend(verify_pack(holdings, id, committed_end, before)?);
        done += committed_end;
        progress(done, total);
    }
    for (kind, digest, size) in contents {
        let found = report.damaged.len();
        verify_content(holdings, kind, digest, &mut report, &mut |bytes| progress(done + bytes, total))?;
        if report.damaged.len() > found && is_garbage(holdings, kind, &digest)? {
            report.damaged.truncate(found);
        }
        done += size;
        progress(done, total);
    }
    Ok(report)
}

/// What is wrong with a pack whose last group is known to end at `committed_end`, if anything.
fn verify_pack(holdings: &Holdings, id: PackId, committed_end: u64, before: MarksId) -> Result<Vec<Damage>> {
    let path = id.pack_path(holdings.index().dir());
    let damage = |offset, what| Damage { digest: None, pack: Some(format!("{id}.pack")), offset, what };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_damage = !was_collected(holdings.root(), before)?;
            return Ok(is_damage.then(|| damage(None, "the pack is missing".to_owned())).into_iter().collect());
        }
        Err(error) => return Err(StoreError::io(&path, error)),
    };
    let len = file.metadata().at(&path)?.len();
    let missing = committed_end.saturating_sub(len);
    let too_short = (missing > 0).then(|| damage(Some(len), format!("the pack is {missing} bytes too short")));
    let found = pack::salvage(&file, &path, id, 0, committed_end)?;
    let injuries = found.committed.damage.into_iter().chain(found.tail.damage);
    Ok(too_short.into_iter().chain(injuries.map(|injury| of_injury(holdings, id, injury))).collect())
}

/// Whether a pack that is not there may have been taken away by a collection that was begun or ended since these marks
/// were read.
fn was_collected(root: &Path, before: MarksId) -> Result<bool> {
    Ok(gc::is_under_way(root)? || marks::peek(root)? != before)
}
