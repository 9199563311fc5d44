//! What counts in a pack: the groups that were committed.

use std::{fs::File, path::Path};

use stemma_core::Digest;

use super::{
    group::Group,
    id::{PACK_HEADER_LEN, PackId},
    record::{Header, Kind, PackedRecord},
    window::Window,
};
use crate::error::Result;

/// What a reader may rely on after reading a pack from `start`.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub records: Vec<PackedRecord>,
    /// End of the last committed group; 0 if not even the pack's header is there.
    pub committed_end: u64,
    /// Recipes whose bytes do not match their check. They are none of the records, so that their content is written
    /// again when it is next added.
    pub rotten: Vec<Injury>,
}

/// Damage in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Injury {
    pub offset: u64,
    /// What lies there, if its header is whole.
    pub record: Option<(Kind, Digest)>,
    pub what: String,
}

impl Injury {
    pub(super) fn of(header: &Header, offset: u64) -> Self {
        let what = format!("the bytes of {} do not match their check", header.digest);
        Self { offset, record: Some((header.kind, header.digest)), what }
    }
}

/// Reads the committed groups from `start` (0 or the end of a group) on, headers only.
///
/// Stops silently at the first byte that is not part of a whole committed group: another process may be writing
/// there. [`salvage`](super::salvage::salvage) tells more, when nobody writes.
pub(crate) fn scan(file: &File, path: &Path, id: PackId, start: u64) -> Result<Scan> {
    let mut window = Window::new(file, path, id)?;
    let mut scan = Scan { committed_end: start, ..Scan::default() };
    if start == 0 {
        if !window.pack_header_is_whole()? {
            return Ok(scan);
        }
        scan.committed_end = PACK_HEADER_LEN as u64;
    }
    let mut group = Group::starting_at(scan.committed_end);
    let (mut records, mut doubtful) = (Vec::new(), Vec::new());
    let mut at = scan.committed_end;
    while let Some((header, bytes)) = window.header(at)? {
        if window.len - at < header.record_len() {
            break;
        }
        let end = at + header.record_len();
        if header.kind == Kind::Commit {
            let Some(commit) = window.commit(&header, at)? else {
                break;
            };
            // Without records before it, it is a second copy and commits nothing.
            if group.count > 0 && commit != group.commit() {
                break;
            }
            scan.records.append(&mut records);
            // What could not be read may just not have been written then. Now that the group is whole it must be there.
            window.forget();
            for (header, at) in doubtful.drain(..) {
                match window.describe(&header, at)? {
                    Some(found) => scan.records.push(found),
                    None => scan.rotten.push(Injury::of(&header, at)),
                }
            }
            scan.committed_end = end;
            group = Group::starting_at(end);
        } else {
            group.add(&bytes);
            match window.describe(&header, at)? {
                Some(found) => records.push(found),
                None => doubtful.push((header, at)),
            }
        }
        at = end;
    }
    Ok(scan)
}
