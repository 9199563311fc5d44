//! Pack files: append-only logs of records in committed groups.
//!
//! A pack starts with a header (magic, version, id) and holds groups: any number of records, then a commit
//! record, written twice. A record counts from the moment a valid commit record follows it, and a commit record
//! is written only after all bytes of its group are on disk, so a valid one proves that its group is whole.
//! The second copy exists so that one rotten byte in the last commit record can't make an acknowledged group look
//! like the torn tail of a crash, which is cut off.

use std::{
    fmt,
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use stemma_core::{Digest, Sha256};

use crate::{
    error::{IoContext as _, Result, StoreError},
    fs::direct,
    pack::{CODEC_RAW, HEADER_LEN, Header, HeaderFault, Kind, MAGIC, le_u16, le_u32, le_u64},
    pack::{Recipe, RecipeFault},
};

/// A pack this long takes no further group; it gets its index and stays as it is.
pub(crate) const SEAL_AT: u64 = 32 << 20;
/// A group that makes its pack this long is committed and goes on in the next pack.
pub(crate) const PACK_MAX: u64 = 64 << 20;

pub(crate) const PACK_HEADER_LEN: usize = 32;
const PACK_MAGIC: [u8; 8] = *b"\x9dSTMPAK\n";
const PACK_VERSION: u16 = 1;

const COMMIT_LEN: usize = 16;

/// The name of a pack; later packs sort after earlier ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackId(pub(crate) [u8; 16]);

impl PackId {
    pub(crate) fn generate() -> Self {
        Self(uuid::Uuid::now_v7().into_bytes())
    }

    pub(crate) fn pack_path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{self}.pack"))
    }

    pub(crate) fn index_path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{self}.idx"))
    }
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).simple().fmt(f)
    }
}

impl fmt::Debug for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PackId {
    type Err = ();
    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let id = Self(uuid::Uuid::try_parse(text).map_err(|_| ())?.into_bytes());
        // one spelling only
        if id.to_string() == text { Ok(id) } else { Err(()) }
    }
}

/// Magic, version, reserved, id, CRC-32 of all that.
pub(crate) fn encode_pack_header(id: PackId) -> [u8; PACK_HEADER_LEN] {
    let mut bytes = [0; PACK_HEADER_LEN];
    bytes[..8].copy_from_slice(&PACK_MAGIC);
    bytes[8..10].copy_from_slice(&PACK_VERSION.to_le_bytes());
    bytes[12..28].copy_from_slice(&id.0);
    let crc = crc32fast::hash(&bytes[..28]);
    bytes[28..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// A record found in a pack; for recipes with the facts that the index keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub kind: Kind,
    pub digest: Digest,
    pub offset: u64,
    pub stored: u32,
    /// Of the payload; tells chunks that depend on another one from those that don't.
    pub codec: u8,
    /// Size and SHA-256 of the content of a recipe.
    pub content: Option<(u64, Sha256)>,
}

/// What a reader may rely on after reading a pack from `start`.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub records: Vec<Found>,
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
    fn of(header: &Header, offset: u64) -> Self {
        let what = format!("the bytes of {} do not match their check", header.digest);
        Self { offset, record: Some((header.kind, header.digest)), what }
    }
}

/// Reads the committed groups from `start` (0 or the end of a group) on, headers only.
///
/// Stops silently at the first byte that is not part of a whole committed group: another process may be writing
/// there. [`salvage`] tells more, when nobody writes.
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
                match window.found(&header, at)? {
                    Some(found) => scan.records.push(found),
                    None => scan.rotten.push(Injury::of(&header, at)),
                }
            }
            scan.committed_end = end;
            group = Group::starting_at(end);
        } else {
            group.add(&bytes);
            match window.found(&header, at)? {
                Some(found) => records.push(found),
                None => doubtful.push((header, at)),
            }
        }
        at = end;
    }
    Ok(scan)
}

/// What can be saved of a pack that nobody writes to.
#[derive(Debug, Default)]
pub(crate) struct Salvage {
    pub committed: Survivors,
    /// What lies behind the last commit record and was never acknowledged.
    pub tail: Survivors,
    pub last_commit_end: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Survivors {
    pub records: Vec<Found>,
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
        } else if let Some(found) = window.found(&header, at)? {
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

/// The records since the last commit, as the next commit record describes them.
pub(crate) struct Group {
    start: u64,
    pub count: u32,
    headers: blake3::Hasher,
}

/// The content of a commit record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Commit {
    group_start: u64,
    count: u32,
    /// BLAKE3 of the group's headers, which hold the checks of their payloads.
    headers: Digest,
}

impl Group {
    pub fn starting_at(start: u64) -> Self {
        Self { start, count: 0, headers: blake3::Hasher::new() }
    }

    pub fn add(&mut self, header: &[u8; HEADER_LEN]) {
        self.count += 1;
        self.headers.update(header);
    }

    /// Header and payload of the record that ends this group.
    pub fn commit_record(&self) -> (Header, [u8; COMMIT_LEN]) {
        let (digest, payload) = self.commit().encode();
        (Header::for_payload(Kind::Commit, CODEC_RAW, digest, COMMIT_LEN as u64, &payload), payload)
    }

    fn commit(&self) -> Commit {
        let headers = Digest::from_bytes(*self.headers.finalize().as_bytes());
        Commit { group_start: self.start, count: self.count, headers }
    }
}

impl Commit {
    fn encode(&self) -> (Digest, [u8; COMMIT_LEN]) {
        let mut payload = [0; COMMIT_LEN];
        payload[..8].copy_from_slice(&self.group_start.to_le_bytes());
        payload[8..12].copy_from_slice(&self.count.to_le_bytes());
        (self.headers, payload)
    }

    fn decode(headers: Digest, payload: &[u8]) -> Option<Self> {
        let payload: &[u8; COMMIT_LEN] = payload.try_into().ok()?;
        // the last four bytes are reserved
        (payload[12..] == [0; 4]).then(|| Self {
            group_start: le_u64(&payload[..8]),
            count: le_u32(&payload[8..12]),
            headers,
        })
    }
}

/// Reads a pack front to back without reading the chunks that are only passed over.
struct Window<'a> {
    file: &'a File,
    path: &'a Path,
    id: PackId,
    len: u64,
    start: u64,
    bytes: Vec<u8>,
}

const READ_AHEAD: usize = 8 << 10;
const SEARCH_STEP: usize = 1 << 20;

impl<'a> Window<'a> {
    fn new(file: &'a File, path: &'a Path, id: PackId) -> Result<Self> {
        let len = file.metadata().at(path)?.len();
        Ok(Self { file, path, id, len, start: 0, bytes: Vec::new() })
    }

    /// Reads anew from here on.
    fn forget(&mut self) {
        self.bytes.clear();
    }

    /// Returns `len` bytes at `at`; `None` if the file ends before.
    fn get(&mut self, at: u64, len: usize) -> Result<Option<&[u8]>> {
        if at.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Ok(None);
        }
        let held = self.start..self.start + self.bytes.len() as u64;
        if at < held.start || at + len as u64 > held.end {
            let wanted = (len.max(READ_AHEAD) as u64).min(self.len - at);
            self.bytes.resize(wanted as usize, 0);
            self.start = at;
            match self.file.read_exact_at(&mut self.bytes, at) {
                Ok(()) => {}
                // the writer that was there gave up and cut its tail off
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.bytes.clear();
                    return Ok(None);
                }
                Err(error) => return Err(StoreError::io(self.path, error)),
            }
        }
        let from = (at - self.start) as usize;
        Ok(Some(&self.bytes[from..from + len]))
    }

    /// `false` if the header is damaged or not yet written.
    fn pack_header_is_whole(&mut self) -> Result<bool> {
        let (id, path) = (self.id, self.path);
        let Some(bytes) = self.get(0, PACK_HEADER_LEN)? else {
            return Ok(false);
        };
        if bytes == encode_pack_header(id) {
            return Ok(true);
        }
        let crc_holds = le_u32(&bytes[28..]) == crc32fast::hash(&bytes[..28]);
        let version = le_u16(&bytes[8..10]);
        if bytes[..8] == PACK_MAGIC && crc_holds && version != PACK_VERSION {
            let version = version.into();
            return Err(StoreError::UnsupportedVersion { path: path.to_owned(), what: "pack format", version });
        }
        Ok(false)
    }

    fn header(&mut self, at: u64) -> Result<Option<(Header, [u8; HEADER_LEN])>> {
        let (id, path) = (self.id, self.path);
        let Some(bytes) = self.get(at, HEADER_LEN)? else {
            return Ok(None);
        };
        match Header::parse(bytes, id, at) {
            Ok(header) => Ok(Some((header, bytes.try_into().expect("the slice is HEADER_LEN long")))),
            Err(HeaderFault::NotARecord) => Ok(None),
            Err(HeaderFault::Unknown(kind)) => {
                Err(StoreError::UnsupportedVersion { path: path.to_owned(), what: "record kind", version: kind.into() })
            }
        }
    }

    fn payload(&mut self, header: &Header, at: u64) -> Result<Option<&[u8]>> {
        let payload = self.get(at + HEADER_LEN as u64, header.stored as usize)?;
        Ok(payload.filter(|payload| header.payload_is_whole(payload)))
    }

    fn payload_is_whole(&mut self, header: &Header, at: u64) -> Result<bool> {
        Ok(self.payload(header, at)?.is_some())
    }

    fn commit(&mut self, header: &Header, at: u64) -> Result<Option<Commit>> {
        let payload = self.payload(header, at)?;
        Ok(payload.and_then(|payload| Commit::decode(header.digest, payload)))
    }

    /// Describes a record; `None` for a recipe that is damaged.
    fn found(&mut self, header: &Header, at: u64) -> Result<Option<Found>> {
        let content = match header.kind {
            Kind::Blob | Kind::Tree => {
                let Some(payload) = self.payload(header, at)? else {
                    return Ok(None);
                };
                match Recipe::decode(header.digest, payload) {
                    Ok(recipe) => Some((recipe.size, recipe.sha256)),
                    Err(RecipeFault::Damaged(_)) => return Ok(None),
                    Err(RecipeFault::Unknown(version)) => {
                        return Err(self.unsupported("recipe version", version));
                    }
                }
            }
            Kind::Chunk | Kind::Page | Kind::Commit => None,
        };
        let Header { kind, codec, digest, stored, .. } = *header;
        Ok(Some(Found { kind, digest, offset: at, stored, codec, content }))
    }

    fn unsupported(&self, what: &'static str, version: u8) -> StoreError {
        StoreError::UnsupportedVersion { path: self.path.to_owned(), what, version: version.into() }
    }

    /// Searches for the next header of this pack in `from..end`; `end` if there is none.
    fn next_header(&mut self, from: u64, end: u64) -> Result<u64> {
        let mut at = from;
        while end.saturating_sub(at) >= HEADER_LEN as u64 {
            let step = (end - at).min(SEARCH_STEP as u64) as usize;
            let Some(bytes) = self.get(at, step)? else {
                return Ok(end);
            };
            let candidates: Vec<u64> = bytes
                .windows(MAGIC.len())
                .enumerate()
                .filter(|(_, window)| *window == MAGIC)
                .map(|(index, _)| at + index as u64)
                .collect();
            for candidate in candidates {
                if self.header(candidate)?.is_some() {
                    return Ok(candidate);
                }
            }
            at += (step - (MAGIC.len() - 1)) as u64;
        }
        Ok(end)
    }
}

/// What became of an attempt to go on writing in a pack.
pub(crate) enum Adoption {
    Writer(Box<PackWriter>),
    /// Another writer has it.
    Taken,
    /// It has its index, is long enough, or is gone.
    Closed,
    /// Bytes within its committed groups have rotted; it must not be written to any more. The file is locked.
    Damaged(File),
}

/// The one writer of a pack, as long as it lives: it holds the file's exclusive lock.
pub(crate) struct PackWriter {
    pub id: PackId,
    path: PathBuf,
    file: File,
    committed_end: u64,
    /// Where the next record goes.
    end: u64,
    output: direct::Output,
    group: Group,
    records: Vec<Found>,
    /// From the first byte of a commit record on, nothing may be cut off: a reader may have seen it.
    commit_begun: bool,
}

impl PackWriter {
    /// Makes an empty pack; whoever locks it first may write to it.
    pub fn create_file(dir: &Path) -> Result<PackId> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let id = PackId::generate();
        let path = id.pack_path(dir);
        File::options().write(true).create_new(true).mode(0o600).open(&path).at(&path)?;
        Ok(id)
    }

    /// Tries to become the writer of an existing pack. `known_end` is where this process knows a committed group
    /// to end; `seen` receives what was committed behind it.
    pub fn adopt(dir: &Path, id: PackId, known_end: u64, seen: &mut Scan) -> Result<Adoption> {
        let path = id.pack_path(dir);
        let file = match File::options().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Adoption::Closed),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(Adoption::Taken),
            Err(std::fs::TryLockError::Error(error)) => return Err(StoreError::io(&path, error)),
        }
        if is_unlinked(&file, &path)? || id.index_path(dir).exists() {
            return Ok(Adoption::Closed);
        }
        *seen = scan(&file, &path, id, known_end)?;
        if seen.committed_end >= SEAL_AT {
            return Ok(Adoption::Closed);
        }
        let len = file.metadata().at(&path)?.len();
        if len > seen.committed_end {
            let tail = salvage(&file, &path, id, seen.committed_end, len)?;
            if tail.last_commit_end.is_some() {
                return Ok(Adoption::Damaged(file));
            }
            file.set_len(seen.committed_end).at(&path)?;
        }
        let mut writer = Self {
            id,
            path,
            file,
            committed_end: seen.committed_end,
            end: seen.committed_end,
            output: direct::Output::starting_at(seen.committed_end),
            group: Group::starting_at(seen.committed_end),
            records: Vec::new(),
            commit_begun: false,
        };
        if writer.committed_end == 0 {
            writer.write_pack_header()?;
            seen.committed_end = writer.committed_end;
        }
        Ok(Adoption::Writer(Box::new(writer)))
    }

    fn write_pack_header(&mut self) -> Result<()> {
        self.file.write_all_at(&encode_pack_header(self.id), 0).at(&self.path)?;
        self.file.sync_data().at(&self.path)?;
        self.committed_end = PACK_HEADER_LEN as u64;
        self.end = self.committed_end;
        self.output = direct::Output::starting_at(self.end);
        self.group = Group::starting_at(self.end);
        Ok(())
    }

    /// Length of the pack with all that was appended.
    pub fn len(&self) -> u64 {
        self.end
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn is_empty(&self) -> bool {
        self.end == PACK_HEADER_LEN as u64
    }

    /// Drops what was appended since the last commit.
    pub fn roll_back(&mut self) -> Result<()> {
        self.records.clear();
        self.end = self.committed_end;
        self.output = direct::Output::starting_at(self.end);
        self.group = Group::starting_at(self.end);
        self.file.set_len(self.end).at(&self.path)
    }

    pub fn has_uncommitted(&self) -> bool {
        self.group.count > 0
    }

    pub fn append(&mut self, header: &Header, payload: &[u8], content: Option<(u64, Sha256)>) -> Result<()> {
        let Header { kind, codec, digest, stored, .. } = *header;
        self.records.push(Found { kind, digest, offset: self.end, stored, codec, content });
        let bytes = header.encode(self.id, self.end);
        self.group.add(&bytes);
        self.write(&bytes, payload)
    }

    fn write(&mut self, header: &[u8], payload: &[u8]) -> Result<()> {
        self.end += (header.len() + payload.len()) as u64;
        self.output.write(&self.file, header).at(&self.path)?;
        self.output.write(&self.file, payload).at(&self.path)
    }

    fn flush(&mut self) -> Result<()> {
        self.output.flush(&self.file).at(&self.path)
    }

    /// Makes all that was appended count: bytes to disk, then the commit record, then that to disk.
    pub fn commit(&mut self) -> Result<Vec<Found>> {
        self.flush()?;
        self.file.sync_data().at(&self.path)?;
        let (header, payload) = self.group.commit_record();
        for _ in 0..2 {
            let bytes = header.encode(self.id, self.end);
            self.write(&bytes, &payload)?;
        }
        self.commit_begun = true;
        self.flush()?;
        self.file.sync_data().at(&self.path)?;
        self.committed_end = self.end;
        self.commit_begun = false;
        self.group = Group::starting_at(self.end);
        Ok(std::mem::take(&mut self.records))
    }
}

impl Drop for PackWriter {
    /// Gives back the disk space of a group that was not committed. The lock ends with the file.
    fn drop(&mut self) {
        if self.has_uncommitted() && !self.commit_begun {
            // on failure whoever looks at the pack next cuts the tail off
            let _ = self.file.set_len(self.committed_end);
        }
    }
}

pub(crate) fn is_unlinked(file: &File, path: &Path) -> Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(file.metadata().at(path)?.nlink() == 0)
}

/// Makes names in a directory survive a power loss.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).at(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(dir: &Path, id: PackId) -> Box<PackWriter> {
        match PackWriter::adopt(dir, id, 0, &mut Scan::default()).unwrap() {
            Adoption::Writer(writer) => writer,
            _ => panic!("the pack is open and free"),
        }
    }

    fn append(writer: &mut PackWriter, payload: &[u8]) {
        let (digest, plain) = (Digest::of(payload), payload.len() as u64);
        let header = Header::for_payload(Kind::Chunk, CODEC_RAW, digest, plain, payload);
        writer.append(&header, payload, None).unwrap();
    }

    #[test]
    fn a_scan_may_stop_after_any_group_and_go_on_from_there() {
        let folder = tempfile::tempdir().unwrap();
        let id = PackWriter::create_file(folder.path()).unwrap();
        let path = id.pack_path(folder.path());
        let mut writer = writer(folder.path(), id);
        let commit_record = (HEADER_LEN + COMMIT_LEN) as u64;
        let mut ends = vec![writer.len()];
        for group in [2, 1, 3] {
            (0..group).for_each(|number| append(&mut writer, &[group, number]));
            writer.commit().unwrap();
            // between the two copies of the commit record, and behind them
            ends.extend([writer.len() - commit_record, writer.len()]);
        }
        append(&mut writer, b"not committed");
        writer.flush().unwrap();

        let file = File::open(&path).unwrap();
        for (start, records_behind) in ends.iter().zip([6, 4, 4, 3, 3, 0, 0]) {
            let scan = scan(&file, &path, id, *start).unwrap();
            assert_eq!(scan.committed_end, ends[6], "from {start}");
            assert_eq!(scan.records.len(), records_behind, "from {start}");
        }
    }

    #[test]
    fn one_pack_has_one_writer_and_what_it_left_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let id = PackWriter::create_file(folder.path()).unwrap();
        let mut first = writer(folder.path(), id);
        let taken = PackWriter::adopt(folder.path(), id, 0, &mut Scan::default()).unwrap();
        assert!(matches!(taken, Adoption::Taken));
        append(&mut first, b"kept");
        first.commit().unwrap();
        let committed_end = first.len();
        append(&mut first, b"dropped");
        first.flush().unwrap();
        let path = id.pack_path(folder.path());
        assert!(path.metadata().unwrap().len() > committed_end);
        drop(first);
        assert_eq!(path.metadata().unwrap().len(), committed_end);
        assert_eq!(writer(folder.path(), id).len(), committed_end);
    }
}
