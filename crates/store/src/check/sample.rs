//! Reading some of it back: a different part each time, for as much work as one wants to spend.

use std::{collections::HashSet, fs::File, os::unix::fs::FileExt as _, path::Path};

use serde::{Deserialize, Serialize};
use stemma_core::Digest;

use super::content::{VerifyReport, is_garbage, of_injury, verify_content};
use crate::{
    blob::check_record,
    damage::Damage,
    error::{Result, StoreError},
    gc,
    holdings::Holdings,
    index::CopyFault,
    little_endian::le_u64,
    pack::{self, HEADER_LEN, Header, Kind, PAYLOAD_MAX, PackId, PackIndex, PackedRecord},
};

/// What a look at a part of the store found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleReport {
    pub records: u64,
    /// Stored bytes that were read.
    pub bytes: u64,
    pub damaged: Vec<Damage>,
}

/// Checks some records, others for another seed, until so many bytes are read.
///
/// Packs are read from a place in them on that the seed chooses, as are the packs themselves; what is damaged is
/// said of the pack, and of each content that needs the damaged part and can't be read for it.
pub(crate) fn verify_sample(holdings: &Holdings, seed: u64, budget_bytes: u64) -> Result<SampleReport> {
    holdings.index().refresh()?;
    let mut packs = holdings.index().packs();
    let draw = |id: PackId| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(&id.0);
        le_u64(&hasher.finalize().as_bytes()[..8])
    };
    packs.sort_unstable_by_key(|(id, _)| draw(*id));
    let mut report = SampleReport::default();
    let mut hit: HashSet<(Kind, Digest)> = HashSet::new();
    for (id, committed_end) in packs {
        if report.bytes >= budget_bytes {
            break;
        }
        sample_pack(holdings, id, draw(id) % committed_end.max(1), budget_bytes, &mut report, &mut hit)?;
    }
    if !hit.is_empty() {
        name_contents(holdings, &hit, &mut report)?;
    }
    Ok(report)
}

/// Checks the records of a pack from an offset on, round to where it began.
fn sample_pack(
    holdings: &Holdings,
    id: PackId,
    from: u64,
    budget_bytes: u64,
    report: &mut SampleReport,
    hit: &mut HashSet<(Kind, Digest)>,
) -> Result<()> {
    let path = id.pack_path(holdings.index().dir());
    let file = match File::open(&path) {
        Ok(file) => file,
        // collected, or `verify` says so
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::io(&path, error)),
    };
    let mut records = match PackIndex::load(holdings.index().dir(), id)? {
        Some(index) => index.records,
        None => {
            let survey = pack::survey(&file, &path, id)?;
            hit.extend(survey.rotten.iter().filter_map(|injury| injury.record));
            report.damaged.extend(survey.rotten.into_iter().map(|injury| of_injury(holdings, id, injury)));
            survey.records
        }
    };
    records.sort_unstable_by_key(|found| (found.offset < from, found.offset));
    for found in records {
        if report.bytes >= budget_bytes {
            break;
        }
        report.records += 1;
        report.bytes += HEADER_LEN as u64 + u64::from(found.stored);
        if let Some(what) = check_place(holdings, id, &file, &path, &found)? {
            hit.insert((found.kind, found.digest));
            if holdings.marks()?.get(id, found.offset).is_some() {
                continue;
            }
            let (pack, offset) = (Some(format!("{id}.pack")), Some(found.offset));
            report.damaged.push(Damage { digest: None, pack, offset, what });
        }
    }
    Ok(())
}

/// What is wrong with a record where it lies, if anything.
fn check_place(
    holdings: &Holdings,
    id: PackId,
    file: &File,
    path: &Path,
    found: &PackedRecord,
) -> Result<Option<String>> {
    let mut bytes = vec![0; HEADER_LEN + (found.stored as usize).min(PAYLOAD_MAX as usize)];
    match file.read_exact_at(&mut bytes, found.offset) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            return Ok(Some("its pack ends before it".to_owned()));
        }
        Err(error) => return Err(StoreError::io(path, error)),
    }
    let payload = bytes.split_off(HEADER_LEN);
    let header = Header::parse(&bytes, id, found.offset).ok();
    let header = header.filter(|header| (header.kind, header.digest) == (found.kind, found.digest));
    let Some(header) = header.filter(|header| header.payload_is_whole(&payload)) else {
        return Ok(Some(format!("the bytes of {} do not match their check", found.digest)));
    };
    match check_record(holdings, &header, &payload) {
        Ok(()) => Ok(None),
        Err(CopyFault::Damaged(what)) => Ok(Some(format!("{}: {what}", found.digest))),
        Err(CopyFault::Other(error)) => Err(error),
    }
}

/// Adds the contents that can't be read because of damaged records.
fn name_contents(holdings: &Holdings, hit: &HashSet<(Kind, Digest)>, report: &mut SampleReport) -> Result<()> {
    for kind in [Kind::Blob, Kind::Tree] {
        for digest in holdings.index().names(kind) {
            let mut is_hit = false;
            let parts = gc::each_record(holdings, (kind, digest), &mut |part| is_hit |= hit.contains(&part));
            let is_broken = matches!(parts, Err(StoreError::Corrupt { .. }));
            if is_hit || is_broken {
                let mut verified = VerifyReport::default();
                verify_content(holdings, kind, digest, &mut verified, &mut |_| {})?;
                if !is_garbage(holdings, kind, &digest)? {
                    report.damaged.extend(verified.damaged);
                }
            }
        }
    }
    Ok(())
}
