//! Thrift's compact protocol, as far as Parquet's footer needs it.
//!
//! Format: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use crate::walk::{Cursor, Stop, Walk, ensure};

/// Names from the root of the schema down to a column.
const STRINGS_MAX: u64 = 64;
/// Structs and lists inside of each other.
const NESTING_MAX: u32 = 16;

/// What a field is, before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Byte,
    /// Of 16, 32 or 64 bits.
    Number,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

impl Kind {
    fn of(code: u8) -> Walk<Self> {
        Ok(match code {
            1 | 2 => Self::Bool,
            3 => Self::Byte,
            4..=6 => Self::Number,
            7 => Self::Double,
            8 => Self::Binary,
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            _ => return Err(Stop::Malformed),
        })
    }
}

/// Calls `each` for every field of the struct that begins here; it must read the field, or [`skip`] it.
pub(crate) fn fields(
    cursor: &mut Cursor<'_>,
    mut each: impl FnMut(&mut Cursor<'_>, i64, Kind) -> Walk<()>,
) -> Walk<()> {
    let mut id = 0i64;
    loop {
        let head = cursor.byte()?;
        if head == 0 {
            return Ok(());
        }
        let kind = Kind::of(head & 0xf)?;
        id = match head >> 4 {
            0 => number(cursor)?,
            step => id.checked_add(step.into()).ok_or(Stop::Malformed)?,
        };
        each(cursor, id, kind)?;
    }
}

/// Calls `each` for every struct of the list that begins here.
pub(crate) fn structs(cursor: &mut Cursor<'_>, mut each: impl FnMut(&mut Cursor<'_>) -> Walk<()>) -> Walk<()> {
    let (count, kind) = list(cursor)?;
    ensure(kind == Kind::Struct || count == 0)?;
    (0..count).try_for_each(|_| each(cursor))
}

pub(crate) fn strings(cursor: &mut Cursor<'_>) -> Walk<Vec<String>> {
    let (count, kind) = list(cursor)?;
    ensure((kind == Kind::Binary || count == 0) && count <= STRINGS_MAX)?;
    (0..count).map(|_| string(cursor)).collect()
}

/// Number and kind of a list's elements, each of which takes at least one byte.
fn list(cursor: &mut Cursor<'_>) -> Walk<(u64, Kind)> {
    let head = cursor.byte()?;
    let count = match head >> 4 {
        15 => cursor.varint()?,
        count => count.into(),
    };
    ensure(count <= cursor.left())?;
    Ok((count, Kind::of(head & 0xf)?))
}

pub(crate) fn number(cursor: &mut Cursor<'_>) -> Walk<i64> {
    let zigzag = cursor.varint()?;
    Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
}

/// A number that can't be less than zero.
pub(crate) fn count(cursor: &mut Cursor<'_>, kind: Kind) -> Walk<u64> {
    ensure(kind == Kind::Number)?;
    u64::try_from(number(cursor)?).map_err(|_| Stop::Malformed)
}

fn string(cursor: &mut Cursor<'_>) -> Walk<String> {
    let len = cursor.varint()?;
    cursor.string(len)
}

/// Passes over the value of a field.
pub(crate) fn skip(cursor: &mut Cursor<'_>, kind: Kind) -> Walk<()> {
    match kind {
        // a field's truth value is in its head
        Kind::Bool => Ok(()),
        kind => skip_nested(cursor, kind, 0),
    }
}

fn skip_nested(cursor: &mut Cursor<'_>, kind: Kind, nesting: u32) -> Walk<()> {
    ensure(nesting < NESTING_MAX)?;
    match kind {
        Kind::Bool | Kind::Byte => cursor.byte().map(drop),
        Kind::Number => cursor.varint().map(drop),
        Kind::Double => cursor.array::<8>().map(drop),
        Kind::Uuid => cursor.array::<16>().map(drop),
        Kind::Binary => {
            let len = cursor.varint()?;
            cursor.skip(len)
        }
        Kind::List => {
            let (count, kind) = list(cursor)?;
            (0..count).try_for_each(|_| skip_nested(cursor, kind, nesting + 1))
        }
        Kind::Map => skip_map(cursor, nesting),
        Kind::Struct => fields(cursor, |cursor, _, kind| match kind {
            Kind::Bool => Ok(()),
            kind => skip_nested(cursor, kind, nesting + 1),
        }),
    }
}

fn skip_map(cursor: &mut Cursor<'_>, nesting: u32) -> Walk<()> {
    let count = cursor.varint()?;
    if count == 0 {
        return Ok(());
    }
    ensure(count <= cursor.left())?;
    let kinds = cursor.byte()?;
    let (key, value) = (Kind::of(kinds >> 4)?, Kind::of(kinds & 0xf)?);
    (0..count).try_for_each(|_| {
        skip_nested(cursor, key, nesting + 1)?;
        skip_nested(cursor, value, nesting + 1)
    })
}
