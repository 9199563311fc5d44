//! What can be saved of a pack that nobody writes to, whatever has happened to it.

use std::{fs::File, path::Path};

use super::{
    id::{PACK_HEADER_LEN, PackId},
    record::{Kind, PackedRecord},
    scan::{Injury, Scan, scan},
    window::Window,
};
use crate::error::{IoContext as _, Result};

/// The records of a pack that are whole, and what is not.
#[derive(Debug, Default)]
pub(crate) struct Salvage {
    pub committed: Survivors,
    /// What lies behind the last commit record and was never acknowledged.
    pub tail: Survivors,
    pub last_commit_end: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Survivors {
    pub records: Vec<PackedRecord>,
    pub damage: Vec<Injury>,
}

/// Most damages that are listed one by one for a pack.
const DAMAGE_LISTED_MAX: usize = 1000;

impl Survivors {
    fn damaged(&mut self, injury: Injury) {
        if self.damage.len() < DAMAGE_LISTED_MAX {
            self.damage.push(injury);
        }
    }

    fn damaged_at(&mut self, offset: u64, what: &str) {
        self.damaged(Injury { offset, record: None, what: what.to_owned() });
    }

    fn append(&mut self, later: &mut Self) {
        self.records.append(&mut later.records);
        self.damage.append(&mut later.damage);
    }
}

/// Reads everything in `start..end`, checks each record's bytes and searches for the next record behind damage.
pub(crate) fn salvage(file: &File, path: &Path, id: PackId, start: u64, end: u64) -> Result<Salvage> {
    let mut window = Window::new(file, path, id)?;
    let end = end.min(window.len);
    let mut salvage = Salvage::default();
    let mut at = start;
    if start == 0 {
        if !window.pack_header_is_whole()? {
            salvage.tail.damaged_at(0, "the pack's header is damaged");
        }
        at = PACK_HEADER_LEN as u64;
    }
    while at < end {
        let header = window.header(at)?.map(|(header, _)| header);
        let Some(header) = header.filter(|header| header.record_len() <= end - at) else {
            salvage.tail.damaged_at(at, "no record starts where one should");
            at = window.next_header(at + 1, end)?;
            continue;
        };
        if !window.payload_is_whole(&header, at)? {
            salvage.tail.damaged(Injury::of(&header, at));
        } else if header.kind == Kind::Commit {
            salvage.committed.append(&mut salvage.tail);
            salvage.last_commit_end = Some(at + header.record_len());
        } else if let Some(found) = window.describe(&header, at)? {
            salvage.tail.records.push(found);
        } else {
            let what = format!("the recipe of {} is damaged", header.digest);
            salvage.tail.damaged(Injury { what, ..Injury::of(&header, at) });
        }
        at += header.record_len();
    }
    Ok(salvage)
}

/// All that counts in a pack that nobody writes to, damaged or not, and where its last group ends.
pub(crate) fn survey(file: &File, path: &Path, id: PackId) -> Result<Scan> {
    let mut scan = scan(file, path, id, 0)?;
    let len = file.metadata().at(path)?.len();
    if scan.committed_end < len {
        let rest = salvage(file, path, id, scan.committed_end, len)?;
        scan.records.extend(rest.committed.records);
        scan.rotten.extend(rest.committed.damage);
        scan.committed_end = rest.last_commit_end.unwrap_or(scan.committed_end);
    }
    Ok(scan)
}
