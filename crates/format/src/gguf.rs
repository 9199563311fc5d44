//! GGUF, versions 2 and 3: counts, metadata, one record per tensor, then the tensors, each aligned.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. Big-endian files have no outline.

use std::io;

use crate::{
    Dtype, Format, Outline, PARTS_MAX, Part, ReadAt, TensorType,
    walk::{Cursor, Stop, Walk, ensure, settle},
};

pub(crate) const MAGIC: &[u8] = b"GGUF";
/// Files have dozens of entries.
const METADATA_MAX: u64 = 1 << 16;
const ALIGNMENT_KEY: &str = "general.alignment";
const ALIGNMENT: u64 = 32;
const ALIGNMENT_MAX: u64 = 1 << 20;
const DIMENSIONS_MAX: u32 = 8;
const NAME_LEN_MAX: u64 = 64 << 10;
/// Arrays of arrays are allowed, but nobody nests them deeply.
const NESTING_MAX: u32 = 4;

/// Metadata value types.
mod kind {
    pub const U8: u32 = 0;
    pub const F32: u32 = 6;
    pub const BOOL: u32 = 7;
    pub const U32: u32 = 4;
    pub const STRING: u32 = 8;
    pub const ARRAY: u32 = 9;
    pub const U64: u32 = 10;
    pub const F64: u32 = 12;
}

pub(crate) fn outline(source: &dyn ReadAt) -> io::Result<Option<Outline>> {
    settle(walk(source))
}

struct Record {
    name: String,
    kind: u32,
    shape: Vec<u64>,
    offset: u64,
}

fn walk(source: &dyn ReadAt) -> Walk<Outline> {
    let mut cursor = Cursor::new(source, 0, source.len());
    ensure(cursor.array::<4>()? == MAGIC)?;
    ensure(matches!(cursor.u32()?, 2 | 3))?;
    let tensors = cursor.u64()?;
    ensure(tensors <= PARTS_MAX as u64)?;
    let metadata = cursor.u64()?;
    ensure(metadata <= METADATA_MAX)?;
    let alignment = alignment(&mut cursor, metadata)?;
    let mut records = Vec::new();
    for _ in 0..tensors {
        records.push(record(&mut cursor)?);
    }
    let data_start = cursor.at().checked_next_multiple_of(alignment).ok_or(Stop::Malformed)?;
    parts(records, data_start, source.len()).map(|parts| Outline { format: Format::Gguf, parts })
}

/// Walks over the metadata; each entry takes bytes, so the file's length bounds their number.
fn alignment(cursor: &mut Cursor<'_>, entries: u64) -> Walk<u64> {
    let mut alignment = ALIGNMENT;
    for _ in 0..entries {
        let len = cursor.u64()?;
        ensure(len <= NAME_LEN_MAX)?;
        let key = cursor.bytes(len)?;
        match cursor.u32()? {
            kind::U32 if key == ALIGNMENT_KEY.as_bytes() => alignment = cursor.u32()?.into(),
            kind => skip_value(cursor, kind, 0)?,
        }
    }
    ensure(alignment.is_power_of_two() && alignment <= ALIGNMENT_MAX)?;
    Ok(alignment)
}

fn skip_value(cursor: &mut Cursor<'_>, kind: u32, nesting: u32) -> Walk<()> {
    match kind {
        kind::STRING => {
            let len = cursor.u64()?;
            cursor.skip(len)
        }
        kind::ARRAY => {
            ensure(nesting < NESTING_MAX)?;
            let kind = cursor.u32()?;
            let count = cursor.u64()?;
            if let Some(width) = width(kind) {
                return cursor.skip(count.checked_mul(width).ok_or(Stop::Malformed)?);
            }
            (0..count).try_for_each(|_| skip_value(cursor, kind, nesting + 1))
        }
        kind => cursor.skip(width(kind).ok_or(Stop::Malformed)?),
    }
}

/// Bytes of a value that is neither text nor an array.
fn width(kind: u32) -> Option<u64> {
    Some(match kind {
        kind::U8 | 1 | kind::BOOL => 1,
        2 | 3 => 2,
        kind::U32 | 5 | kind::F32 => 4,
        kind::U64 | 11 | kind::F64 => 8,
        _ => return None,
    })
}

fn record(cursor: &mut Cursor<'_>) -> Walk<Record> {
    let len = cursor.u64()?;
    ensure(len <= NAME_LEN_MAX)?;
    let name = cursor.string(len)?;
    let dimensions = cursor.u32()?;
    ensure(dimensions <= DIMENSIONS_MAX)?;
    let mut shape: Vec<u64> = (0..dimensions).map(|_| cursor.u64()).collect::<Walk<_>>()?;
    // written with the side that varies fastest first
    shape.reverse();
    Ok(Record { name, kind: cursor.u32()?, shape, offset: cursor.u64()? })
}

fn parts(mut records: Vec<Record>, data_start: u64, file_len: u64) -> Walk<Vec<Part>> {
    records.sort_by_key(|record| record.offset);
    let starts: Vec<u64> = records
        .iter()
        .map(|record| data_start.checked_add(record.offset))
        .collect::<Option<_>>()
        .ok_or(Stop::Malformed)?;
    let ends = starts.iter().skip(1).copied().chain([file_len]);
    let mut parts = Vec::new();
    for ((record, &start), next) in records.into_iter().zip(&starts).zip(ends) {
        let len = match byte_len(&record) {
            Some(len) => len,
            // a type that is not known here: up to the next tensor
            None => next.checked_sub(start).ok_or(Stop::Malformed)?,
        };
        ensure(start.checked_add(len).is_some_and(|end| end <= file_len))?;
        let tensor = dtype(record.kind).map(|dtype| TensorType { dtype, shape: record.shape });
        if len > 0 {
            parts.push(Part { start, len, name: record.name.into(), tensor });
        }
    }
    Ok(parts)
}

fn byte_len(record: &Record) -> Option<u64> {
    let (block_elements, block_len) = block(record.kind)?;
    let elements = record.shape.iter().try_fold(1u64, |product, side| product.checked_mul(*side))?;
    (elements % block_elements == 0).then(|| (elements / block_elements).checked_mul(block_len))?
}

/// Elements and bytes of the blocks in which a tensor of this type is written.
fn block(kind: u32) -> Option<(u64, u64)> {
    if let Some(dtype) = dtype(kind) {
        return Some((1, dtype.width() as u64));
    }
    Some(match kind {
        2 => (32, 18),    // Q4_0
        3 => (32, 20),    // Q4_1
        6 => (32, 22),    // Q5_0
        7 => (32, 24),    // Q5_1
        8 => (32, 34),    // Q8_0
        9 => (32, 40),    // Q8_1
        10 => (256, 84),  // Q2_K
        11 => (256, 110), // Q3_K
        12 => (256, 144), // Q4_K
        13 => (256, 176), // Q5_K
        14 => (256, 210), // Q6_K
        15 => (256, 292), // Q8_K
        _ => return None,
    })
}

/// Types that are plain arrays; the quantised ones are not.
fn dtype(kind: u32) -> Option<Dtype> {
    Some(match kind {
        0 => Dtype::F32,
        1 => Dtype::F16,
        24 => Dtype::I8,
        25 => Dtype::I16,
        26 => Dtype::I32,
        27 => Dtype::I64,
        28 => Dtype::F64,
        30 => Dtype::Bf16,
        _ => return None,
    })
}
