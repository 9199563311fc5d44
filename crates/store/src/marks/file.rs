//! The file `gc/marks`: which copies of which records are to go, and since when.
//!
//! All numbers are little-endian: magic (8 bytes), version (u16), reserved (6), epoch (u64), generation (u64), number
//! of packs (u32); for each pack, sorted by id, its id (16), the number of marks (u32), and the marks sorted by offset:
//! offset of the record (u64), generation in which it was marked (u64), milliseconds since 1970 when it became garbage
//! (u64); at last the BLAKE3 of all bytes before.
//!
//! The generation grows with every change. The epoch is random and new whenever marks are begun anew, because there
//! were none or they were damaged: then generations that somebody remembers mean nothing.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use crate::{
    error::{IoContext as _, Result, StoreError},
    fs::durable::replace,
    little_endian::{le_u16, le_u32, le_u64},
    pack::PackId,
};

const MAGIC: [u8; 8] = *b"\x9dSTMGCM\n";
const VERSION: u16 = 1;
const HEAD_LEN: usize = 36;
const PACK_LEN: usize = 20;
const MARK_LEN: usize = 24;
const CHECK_LEN: usize = 32;
/// No store has so many marks that they take more.
const FILE_MAX: u64 = 4 << 30;

/// Which marks somebody has read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MarksId {
    pub epoch: u64,
    pub generation: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub offset: u64,
    pub generation: u64,
    pub since_ms: u64,
}

/// Marked copies of records, by pack. Without a file there are none, under an id that no file has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub id: MarksId,
    /// Sorted by offset.
    pub packs: BTreeMap<PackId, Vec<Mark>>,
}

impl Marks {
    pub fn get(&self, pack: PackId, offset: u64) -> Option<Mark> {
        let marks = self.packs.get(&pack)?;
        marks.binary_search_by_key(&offset, |mark| mark.offset).ok().map(|at| marks[at])
    }

    pub fn len(&self) -> usize {
        self.packs.values().map(Vec::len).sum()
    }
}

pub(crate) fn dir(root: &Path) -> PathBuf {
    root.join("gc")
}

fn path(root: &Path) -> PathBuf {
    dir(root).join("marks")
}

/// Makes the folder that marks and the collector's lock lie in.
pub(crate) fn make_dir(root: &Path) -> Result<PathBuf> {
    let dir = dir(root);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).at(&dir)?;
    Ok(dir)
}

/// Which marks there are, without reading them; the id of no file if there are none or they can't be told.
///
/// Not checked: only good for noticing that something has changed.
pub(crate) fn peek(root: &Path) -> Result<MarksId> {
    let path = path(root);
    let mut head = [0; HEAD_LEN];
    let read = match File::open(&path) {
        Ok(mut file) => file.read_exact(&mut head),
        Err(error) => Err(error),
    };
    match read {
        Ok(()) if head[..8] == MAGIC => Ok(id_of(&head)),
        Ok(()) => Ok(MarksId::default()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof || is_missing(&error) => Ok(MarksId::default()),
        Err(error) => Err(StoreError::io(&path, error)),
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Reads the marks; none if they are missing or damaged, since marks only ever say what may be removed.
pub(crate) fn load(root: &Path) -> Result<Marks> {
    let path = path(root);
    let bytes = match fs::metadata(&path)
        .and_then(|meta| if meta.len() > FILE_MAX { Ok(Vec::new()) } else { fs::read(&path) })
    {
        Ok(bytes) => bytes,
        Err(error) if is_missing(&error) => return Ok(Marks::default()),
        Err(error) => return Err(StoreError::io(&path, error)),
    };
    match decode(&bytes) {
        Ok(marks) => Ok(marks),
        Err(MarksFault::Damaged) => Ok(Marks::default()),
        Err(MarksFault::Version(version)) => {
            Err(StoreError::UnsupportedVersion { path, what: "marks format", version: version.into() })
        }
    }
}

/// Puts marks in place of the old ones, whole or not at all. The caller holds the collector's lock.
pub(crate) fn store(root: &Path, marks: &Marks) -> Result<()> {
    let dir = make_dir(root)?;
    replace(&path(root), &dir.join("marks.tmp"), &encode(marks))
}

fn id_of(head: &[u8; HEAD_LEN]) -> MarksId {
    MarksId { epoch: le_u64(&head[16..24]), generation: le_u64(&head[24..32]) }
}

fn encode(marks: &Marks) -> Vec<u8> {
    let len = HEAD_LEN + marks.packs.len() * PACK_LEN + marks.len() * MARK_LEN + CHECK_LEN;
    let mut bytes = Vec::with_capacity(len);
    let count = |count: usize| u32::try_from(count).expect("no disk holds so many packs or records").to_le_bytes();
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 6]);
    bytes.extend_from_slice(&marks.id.epoch.to_le_bytes());
    bytes.extend_from_slice(&marks.id.generation.to_le_bytes());
    bytes.extend_from_slice(&count(marks.packs.len()));
    for (pack, marks) in &marks.packs {
        bytes.extend_from_slice(&pack.0);
        bytes.extend_from_slice(&count(marks.len()));
        for mark in marks {
            bytes.extend_from_slice(&mark.offset.to_le_bytes());
            bytes.extend_from_slice(&mark.generation.to_le_bytes());
            bytes.extend_from_slice(&mark.since_ms.to_le_bytes());
        }
    }
    let check = blake3::hash(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

#[derive(Debug)]
enum MarksFault {
    Damaged,
    Version(u16),
}

fn decode(bytes: &[u8]) -> std::result::Result<Marks, MarksFault> {
    let body_len = bytes.len().checked_sub(CHECK_LEN).ok_or(MarksFault::Damaged)?;
    let (body, check) = bytes.split_at(body_len);
    let (head, mut rest) = body.split_first_chunk::<HEAD_LEN>().ok_or(MarksFault::Damaged)?;
    if head[..8] != MAGIC || blake3::hash(body).as_bytes() != check {
        return Err(MarksFault::Damaged);
    }
    match le_u16(&head[8..10]) {
        VERSION => {}
        version => return Err(MarksFault::Version(version)),
    }
    let mut marks = Marks { id: id_of(head), packs: BTreeMap::new() };
    for _ in 0..le_u32(&head[32..36]) {
        let (pack, behind) = rest.split_first_chunk::<PACK_LEN>().ok_or(MarksFault::Damaged)?;
        let len = MARK_LEN.checked_mul(le_u32(&pack[16..]) as usize).ok_or(MarksFault::Damaged)?;
        let (entries, behind) = behind.split_at_checked(len).ok_or(MarksFault::Damaged)?;
        let id = PackId(*pack.first_chunk().ok_or(MarksFault::Damaged)?);
        marks.packs.insert(id, entries.chunks_exact(MARK_LEN).map(decode_mark).collect());
        rest = behind;
    }
    if rest.is_empty() { Ok(marks) } else { Err(MarksFault::Damaged) }
}

fn decode_mark(entry: &[u8]) -> Mark {
    Mark { offset: le_u64(&entry[..8]), generation: le_u64(&entry[8..16]), since_ms: le_u64(&entry[16..24]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Marks {
        let mark = |offset| Mark { offset, generation: 3, since_ms: 1_700_000_000_000 };
        let packs = [(PackId([1; 16]), vec![mark(32), mark(900)]), (PackId([2; 16]), vec![mark(32)])];
        Marks { id: MarksId { epoch: 77, generation: 4 }, packs: packs.into() }
    }

    #[test]
    fn marks_read_back_and_are_found_by_place() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load(folder.path()).unwrap(), Marks::default());
        store(folder.path(), &sample()).unwrap();
        assert_eq!(load(folder.path()).unwrap(), sample());
        assert_eq!(peek(folder.path()).unwrap(), sample().id);
        assert_eq!(sample().get(PackId([1; 16]), 900).map(|mark| mark.generation), Some(3));
        assert_eq!(sample().get(PackId([2; 16]), 900), None);
    }

    #[test]
    fn every_flip_and_every_cut_is_noticed() {
        let good = encode(&sample());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            assert!(matches!(decode(&bad), Err(MarksFault::Damaged)), "byte {at}");
            assert!(matches!(decode(&good[..at]), Err(MarksFault::Damaged)), "cut at {at}");
        }
    }
}
