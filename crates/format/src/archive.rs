//! The members of a zip archive, as the central directory at its end lists them. Nothing is decompressed.
//!
//! Format: APPNOTE 6.3, with ZIP64.

use std::{collections::HashSet, sync::Arc};

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
/// Of a ZIP64 record without data of its own, which nobody writes.
const END64_LEN: u64 = 56;
const COMMENT_LEN_MAX: usize = u16::MAX as usize;
const LOCAL_LEN: usize = 30;
const EXTRA_ZIP64: u16 = 1;
/// Another name for the member, which some take instead.
const EXTRA_NAME: u16 = 0x7075;
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

/// The members, in the order of the directory; fails if any is not as a member must be, and where readers would not agree
/// on what they are: on where the directory lies, or on which of two members a name stands for.
pub fn members(source: &dyn ReadAt) -> Walk<Vec<Member>> {
    let directory = directory(source)?;
    ensure(directory.entries <= PARTS_MAX as u64 && directory.len <= HEADER_MAX)?;
    let end = directory.start.checked_add(directory.len).filter(|end| *end <= source.len()).ok_or(Stop::Malformed)?;
    let mut cursor = Cursor::new(source, directory.start, end);
    let mut members = Vec::new();
    for _ in 0..directory.entries {
        members.push(entry(&mut cursor, source)?);
    }
    // some go by the number of entries, others by the directory's length
    ensure(cursor.left() == 0)?;
    let mut names = HashSet::new();
    ensure(members.iter().all(|member| names.insert(member.name.as_str())))?;
    Ok(members)
}

struct Directory {
    start: u64,
    len: u64,
    entries: u64,
}

/// Some take the directory from where the end record says, others from right before that record: it must be the same.
fn directory(source: &dyn ReadAt) -> Walk<Directory> {
    let (end_record, short) = end_record(source)?;
    let locator = end_record.checked_sub(LOCATOR64_LEN).map(|at| Cursor::new(source, at, end_record));
    let is_long = match locator {
        Some(mut locator) => locator.u32()? == LOCATOR64_MAGIC,
        None => false,
    };
    let (directory, behind) = match is_long {
        true => directory64(source, end_record - LOCATOR64_LEN, short)?,
        false => {
            let Short { entries, len, start } = short;
            ensure(entries != u16::MAX && len != IN_ZIP64 && start != IN_ZIP64)?;
            (Directory { start: start.into(), len: len.into(), entries: entries.into() }, end_record)
        }
    };
    ensure(directory.start.checked_add(directory.len) == Some(behind))?;
    Ok(directory)
}

/// What the end record says; what is too small is in the ZIP64 record.
struct Short {
    entries: u16,
    len: u32,
    start: u32,
}

/// Where the end record lies: the last one there is, with a comment that reaches exactly to the end of the file.
fn end_record(source: &dyn ReadAt) -> Walk<(u64, Short)> {
    let tail_len = (END_LEN + COMMENT_LEN_MAX).min(usize::try_from(source.len()).unwrap_or(usize::MAX));
    let tail_start = source.len() - tail_len as u64;
    let tail = source.bytes_at(tail_start, tail_len)?;
    let is_magic = |bytes: &[u8]| bytes == END_MAGIC;
    let at = tail.windows(END_MAGIC.len()).rposition(is_magic).ok_or(Stop::Malformed)? as u64;
    let mut cursor = Cursor::new(source, tail_start + at + 8, source.len());
    let (_here, entries) = (cursor.u16()?, cursor.u16()?);
    let (len, start) = (cursor.u32()?, cursor.u32()?);
    let comment_len = cursor.u16()?;
    ensure(cursor.left() == u64::from(comment_len))?;
    Ok((tail_start + at, Short { entries, len, start }))
}

/// The directory by the ZIP64 record, and where that begins. Some find the record by the locator, others right before it;
/// some take it for all numbers, others for those that are too small.
fn directory64(source: &dyn ReadAt, locator: u64, short: Short) -> Walk<(Directory, u64)> {
    let mut cursor = Cursor::new(source, locator + 8, source.len());
    let record = cursor.u64()?;
    ensure(record.checked_add(END64_LEN) == Some(locator))?;
    let mut cursor = Cursor::new(source, record, locator);
    ensure(cursor.u32()? == END64_MAGIC && cursor.u64()? == END64_LEN - 12)?;
    cursor.skip(2 + 2 + 4 + 4 + 8)?;
    let (entries, len, start) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
    ensure(short.entries == u16::MAX || u64::from(short.entries) == entries)?;
    ensure(short.len == IN_ZIP64 || u64::from(short.len) == len)?;
    ensure(short.start == IN_ZIP64 || u64::from(short.start) == start)?;
    Ok((Directory { start, len, entries }, record))
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
    let start = data_start(source, local, &Listed { name: &name, flags, method })?;
    ensure(start.checked_add(len).is_some_and(|end| end <= source.len()))?;
    // some end a name there
    ensure(!name.contains(&0))?;
    let name = String::from_utf8_lossy(&name).into_owned();
    Ok(Member { name, start, len, packing: Packing::new(method, flags) })
}

/// The three numbers, taken from the ZIP64 field where they did not fit.
fn zip64(extra: &mut Cursor<'_>, short: [u32; 3]) -> Walk<[u64; 3]> {
    let mut long = short.map(u64::from);
    let mut is_short = short.contains(&IN_ZIP64);
    while extra.left() >= 4 {
        let (id, len) = (extra.u16()?, extra.u16()?);
        ensure(id != EXTRA_NAME)?;
        if id != EXTRA_ZIP64 || !is_short {
            extra.skip(len.into())?;
            continue;
        }
        let mut field = extra.inner(len.into())?;
        for (long, _) in long.iter_mut().zip(short).filter(|(_, short)| *short == IN_ZIP64) {
            *long = field.u64()?;
        }
        extra.resume(field);
        is_short = false;
    }
    ensure(!is_short)?;
    Ok(long)
}

/// What the directory says of a member that its local header says too.
struct Listed<'a> {
    name: &'a [u8],
    flags: u16,
    method: u16,
}

/// Behind the local header, whose extra field may differ from the central one in length. Some go by the one header, others
/// by the other: they must agree on what the member is called and how it is packed.
fn data_start(source: &dyn ReadAt, local: u64, listed: &Listed<'_>) -> Walk<u64> {
    ensure(local.checked_add(LOCAL_LEN as u64).is_some_and(|end| end <= source.len()))?;
    let mut header = [0; LOCAL_LEN];
    source.read_exact_at(local, &mut header)?;
    ensure(header.starts_with(MAGIC))?;
    let number = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let (flags, method, name_len, extra_len) = (number(6), number(8), number(26), number(28));
    ensure(method == listed.method && (flags ^ listed.flags) & ENCRYPTED == 0)?;
    ensure(usize::from(name_len) == listed.name.len())?;
    let name_at = local + LOCAL_LEN as u64;
    ensure(source.bytes_at(name_at, listed.name.len())? == listed.name)?;
    Ok(name_at + u64::from(name_len) + u64::from(extra_len))
}
