//! Fields of a protobuf message, one after the other.
//!
//! Format: <https://protobuf.dev/programming-guides/encoding>. Groups, which nobody writes any more, are not known.

use crate::walk::{Cursor, Stop, Walk, ensure};

/// What a field holds; bytes are not yet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    Number(u64),
    /// So many of them.
    Bytes(u64),
}

/// The number of the next field, and what it holds.
pub fn next(cursor: &mut Cursor<'_>) -> Walk<(u64, Value)> {
    let tag = cursor.varint()?;
    ensure(tag >> 3 > 0)?;
    let value = match tag & 7 {
        0 => Value::Number(cursor.varint()?),
        1 => Value::Number(cursor.u64()?),
        2 => Value::Bytes(cursor.varint()?),
        5 => Value::Number(cursor.u32()?.into()),
        _ => return Err(Stop::Malformed),
    };
    Ok((tag >> 3, value))
}

/// Goes behind a field's value.
pub fn skip(cursor: &mut Cursor<'_>, value: &Value) -> Walk<()> {
    match value {
        Value::Number(_) => Ok(()),
        Value::Bytes(len) => cursor.skip(*len),
    }
}
