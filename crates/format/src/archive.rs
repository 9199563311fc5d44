//! The members of a zip archive, as the central directory at its end lists them. Nothing is decompressed.
//!
//! Format: APPNOTE 6.3, with ZIP64.

use std::sync::Arc;

use crate::{
    HEADER_MAX, PARTS_MAX, Part, ReadAt,
    walk::{Cursor, Stop, Walk, ensure},
};

pub const MAGIC: &[u8] = b"PK\x03\x04";
const ENTRY_MAGIC: u32 = u32::from_le_bytes(*b"PK\x01\x02");
const END_MAGIC: &[u8] = b"PK\x05\x06";
const END_LEN: usize = 22;
const END64_MAGIC: u32 = u32::from_le_bytes(*b"PK\x06\x06");
const LOCATOR64_MAGIC: u32 = u32::from_le_bytes(*b"PK\x06\x07");
const LOCATOR64_LEN: u64 = 20;
const COMMENT_LEN_MAX: usize = u16::MAX as usize;
const LOCAL_LEN: usize = 30;
const EXTRA_ZIP64: u16 = 1;
const ENCRYPTED: u16 = 1;
/// A field that is too small says this; the number is in the ZIP64 record.
const IN_ZIP64: u32 = u32::MAX;

/// A file in the archive.
pub struct Member {
    pub name: String,
    /// Where its bytes begin, behind its local header.
    pub start: u64,
    /// As they lie there.
    pub len: u64,
    pub packing: Packing,
}

/// How a member's bytes lie in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Deflated,
    /// Compressed in another way, or encrypted.
    Other,
}

impl Packing {
    fn new(method: u16, flags: u16) -> Self {
        match (method, flags & ENCRYPTED) {
            (0, 0) => Self::Plain,
            (8, 0) => Self::Deflated,
            _ => Self::Other,
        }
    }
}

impl Member {
    pub fn is_plain(&self) -> bool {
        self.packing == Packing::Plain
    }

    pub(crate) fn part(&self) -> Part {
        Part { start: self.start, len: self.len, name: Arc::from(self.name.as_str()), tensor: None }
    }
}

/// The members, in the order of the directory; fails if any is not as a member must be.
pub fn members(source: &dyn ReadAt) -> Walk<Vec<Member>> {
    let directory = directory(source)?;
    ensure(directory.entries <= PARTS_MAX as u64 && directory.len <= HEADER_MAX)?;
    let end = directory.start.checked_add(directory.len).filter(|end| *end <= source.len()).ok_or(Stop::Malformed)?;
    let mut cursor = Cursor::new(source, directory.start, end);
    let mut members = Vec::new();
    for _ in 0..directory.entries {
        members.push(entry(&mut cursor, source)?);
    }
    Ok(members)
}

struct Directory {
    start: u64,
    len: u64,
    entries: u64,
}

fn directory(source: &dyn ReadAt) -> Walk<Directory> {
    let tail_len = (END_LEN + COMMENT_LEN_MAX).min(usize::try_from(source.len()).unwrap_or(usize::MAX));
    let tail_start = source.len() - tail_len as u64;
    let tail = source.bytes_at(tail_start, tail_len)?;
    let at = end_record(&tail).ok_or(Stop::Malformed)?;
    let mut cursor = Cursor::new(source, tail_start + at as u64 + 8, source.len());
    let (_here, entries) = (cursor.u16()?, cursor.u16()?);
    let (len, start) = (cursor.u32()?, cursor.u32()?);
    if entries == u16::MAX || len == IN_ZIP64 || start == IN_ZIP64 {
        return directory64(source, tail_start + at as u64);
    }
    Ok(Directory { start: start.into(), len: len.into(), entries: entries.into() })
}

/// The last record whose comment reaches exactly to the end of the file.
fn end_record(tail: &[u8]) -> Option<usize> {
    (0..=tail.len().checked_sub(END_LEN)?).rev().find(|&at| {
        let comment_len = usize::from(u16::from_le_bytes([tail[at + 20], tail[at + 21]]));
        tail[at..].starts_with(END_MAGIC) && at + END_LEN + comment_len == tail.len()
    })
}

fn directory64(source: &dyn ReadAt, end_record: u64) -> Walk<Directory> {
    let locator = end_record.checked_sub(LOCATOR64_LEN).ok_or(Stop::Malformed)?;
    let mut cursor = Cursor::new(source, locator, end_record);
    ensure(cursor.u32()? == LOCATOR64_MAGIC)?;
    let _disk = cursor.u32()?;
    let record = cursor.u64()?;
    let mut cursor = Cursor::new(source, record, locator);
    ensure(cursor.u32()? == END64_MAGIC)?;
    cursor.skip(8 + 2 + 2 + 4 + 4 + 8)?;
    Ok(Directory { entries: cursor.u64()?, len: cursor.u64()?, start: cursor.u64()? })
}

fn entry(cursor: &mut Cursor<'_>, source: &dyn ReadAt) -> Walk<Member> {
    ensure(cursor.u32()? == ENTRY_MAGIC)?;
    cursor.skip(4)?;
    let (flags, method) = (cursor.u16()?, cursor.u16()?);
    cursor.skip(8)?;
    let (stored_len, plain_len) = (cursor.u32()?, cursor.u32()?);
    let (name_len, extra_len, comment_len) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
    cursor.skip(8)?;
    let local = cursor.u32()?;
    let name = cursor.bytes(name_len.into())?;
    let mut extra = cursor.inner(extra_len.into())?;
    let long = zip64(&mut extra, [plain_len, stored_len, local])?;
    cursor.resume(extra);
    cursor.skip(comment_len.into())?;
    let [_plain_len, len, local] = long;
    let start = data_start(source, local)?;
    ensure(start.checked_add(len).is_some_and(|end| end <= source.len()))?;
    let name = String::from_utf8_lossy(&name).into_owned();
    Ok(Member { name, start, len, packing: Packing::new(method, flags) })
}

/// The three numbers, taken from the ZIP64 field where they did not fit.
fn zip64(extra: &mut Cursor<'_>, short: [u32; 3]) -> Walk<[u64; 3]> {
    let mut long = short.map(u64::from);
    if !short.contains(&IN_ZIP64) {
        return Ok(long);
    }
    while extra.left() >= 4 {
        let (id, len) = (extra.u16()?, extra.u16()?);
        if id != EXTRA_ZIP64 {
            extra.skip(len.into())?;
            continue;
        }
        for (long, _) in long.iter_mut().zip(short).filter(|(_, short)| *short == IN_ZIP64) {
            *long = extra.u64()?;
        }
        return Ok(long);
    }
    Err(Stop::Malformed)
}

/// Behind the local header, whose extra field may differ from the central one in length.
fn data_start(source: &dyn ReadAt, local: u64) -> Walk<u64> {
    ensure(local.checked_add(LOCAL_LEN as u64).is_some_and(|end| end <= source.len()))?;
    let mut header = [0; LOCAL_LEN];
    source.read_exact_at(local, &mut header)?;
    ensure(header.starts_with(MAGIC))?;
    let number = |at: usize| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
    Ok(local + LOCAL_LEN as u64 + number(26) + number(28))
}
