//! HDF5, as far as Keras 2 needs it: the attributes of the root, where the model's configuration is.
//!
//! Format: <https://docs.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html>, superblocks 0 to 3 with offsets and lengths
//! of 8 bytes, object headers 1 and 2, attributes in the header itself. Attributes that lie elsewhere are not looked at.

use std::io;

use stemma_core::look::ModelFormat;
use stemma_format::{
    ReadAt,
    walk::{Cursor, Stop, Walk, ensure, settle},
};

use crate::{findings::Findings, keras};

pub(crate) const MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";
const OFFSET_LEN: u8 = 8;
const MESSAGES_MAX: usize = 10_000;
/// Attributes with a configuration: Keras writes two.
const CONFIGS_MAX: usize = 8;
/// What says how a model is made, and how it was trained.
const CONFIGS: [&[u8]; 2] = [b"model_config", b"training_config"];
const UNDEFINED: u64 = u64::MAX;

/// Types of messages in object headers.
mod message {
    pub const ATTRIBUTE: u16 = 0x0c;
    pub const CONTINUATION: u16 = 0x10;
    pub const ATTRIBUTE_INFO: u16 = 0x15;
}

/// Classes of datatypes.
mod class {
    pub const TEXT: u8 = 3;
    pub const VARIABLE: u8 = 9;
}

pub(crate) fn findings(source: &dyn ReadAt) -> io::Result<Findings> {
    let Some(attributes) = settle(root_attributes(source))? else {
        let mut found = Findings::of(ModelFormat::Hdf5);
        found.unseen.push("the attributes of its root, which can't be followed".to_owned());
        return Ok(found);
    };
    let is_keras = attributes.configs.iter().any(|(name, _)| name == CONFIGS[0]);
    let mut found = Findings::of(if is_keras { ModelFormat::KerasHdf5 } else { ModelFormat::Hdf5 });
    let mut asked = keras::Asked::default();
    for (name, config) in &attributes.configs {
        match config {
            Some(config) => asked.look_at(config),
            None => found.unseen.push(format!("`{}`, which can't be followed", String::from_utf8_lossy(name))),
        }
    }
    asked.tell(&mut found);
    if attributes.are_elsewhere {
        found.unseen.push("attributes of its root that lie outside of the root's header".to_owned());
    }
    Ok(found)
}

#[derive(Default)]
struct Attributes {
    /// Name and text, if it could be read.
    configs: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    are_elsewhere: bool,
}

fn root_attributes(source: &dyn ReadAt) -> Walk<Attributes> {
    let root = root(source)?;
    let mut attributes = Attributes::default();
    let mut header = Cursor::new(source, root, source.len());
    match header.array::<4>()? {
        signature if signature == *b"OHDR" => header_2(source, header, &mut attributes)?,
        [1, ..] => header_1(source, root, &mut attributes)?,
        _ => return Err(Stop::Malformed),
    }
    Ok(attributes)
}

/// Where the root's object header lies.
fn root(source: &dyn ReadAt) -> Walk<u64> {
    let mut cursor = Cursor::new(source, 0, source.len());
    cursor.skip(MAGIC.len() as u64)?;
    let version = cursor.byte()?;
    let (sizes_at, root_at) = match version {
        0 => (13, 64),
        1 => (13, 68),
        2 | 3 => (9, 36),
        _ => return Err(Stop::Malformed),
    };
    cursor.seek(sizes_at)?;
    ensure(cursor.byte()? == OFFSET_LEN && cursor.byte()? == OFFSET_LEN)?;
    cursor.seek(root_at)?;
    cursor.u64()
}

/// A message's type, its length, and whether it lies elsewhere.
struct Head {
    kind: u16,
    len: u64,
    is_shared: bool,
}

fn header_1(source: &dyn ReadAt, at: u64, attributes: &mut Attributes) -> Walk<()> {
    let mut cursor = Cursor::new(source, at, source.len());
    // the header's number of messages binds no reader: HDF5's own reads blocks to their ends
    cursor.skip(2 + 2 + 4)?;
    let len = u64::from(cursor.u32()?);
    cursor.skip(4)?;
    let mut blocks = vec![(cursor.at(), len)];
    let mut left = MESSAGES_MAX;
    while let Some((start, len)) = blocks.pop() {
        let end = start.checked_add(len).filter(|end| *end <= source.len()).ok_or(Stop::Malformed)?;
        let mut cursor = Cursor::new(source, start, end);
        while cursor.left() >= 8 {
            left = left.checked_sub(1).ok_or(Stop::Malformed)?;
            let (kind, len, flags) = (cursor.u16()?, cursor.u16()?, cursor.byte()?);
            cursor.skip(3)?;
            let head = Head { kind, len: len.into(), is_shared: flags & 2 != 0 };
            blocks.extend(message(source, &mut cursor, &head, attributes)?);
        }
    }
    Ok(())
}

fn header_2(source: &dyn ReadAt, mut cursor: Cursor<'_>, attributes: &mut Attributes) -> Walk<()> {
    ensure(cursor.byte()? == 2)?;
    let flags = cursor.byte()?;
    cursor.skip(if flags & 0x20 != 0 { 16 } else { 0 } + if flags & 0x10 != 0 { 4 } else { 0 })?;
    let len = match flags & 3 {
        0 => cursor.byte()?.into(),
        1 => cursor.u16()?.into(),
        2 => cursor.u32()?.into(),
        _ => cursor.u64()?,
    };
    let order_len = if flags & 4 != 0 { 2 } else { 0 };
    let mut blocks = vec![(cursor.at(), len)];
    let mut left = MESSAGES_MAX;
    while let Some((start, len)) = blocks.pop() {
        let end = start.checked_add(len).filter(|end| *end <= source.len()).ok_or(Stop::Malformed)?;
        let mut cursor = Cursor::new(source, start, end);
        while cursor.left() >= 4 + order_len {
            left = left.checked_sub(1).ok_or(Stop::Malformed)?;
            let (kind, len, flags) = (cursor.byte()?, cursor.u16()?, cursor.byte()?);
            cursor.skip(order_len)?;
            let head = Head { kind: kind.into(), len: len.into(), is_shared: flags & 2 != 0 };
            if let Some((start, len)) = message(source, &mut cursor, &head, attributes)? {
                // a signature before it and a check behind it
                let start = start.checked_add(4).ok_or(Stop::Malformed)?;
                blocks.push((start, len.checked_sub(8).ok_or(Stop::Malformed)?));
            }
        }
    }
    Ok(())
}

/// Reads a message, or goes over it; returns where the header goes on, if it says that.
fn message(
    source: &dyn ReadAt,
    cursor: &mut Cursor<'_>,
    head: &Head,
    attributes: &mut Attributes,
) -> Walk<Option<(u64, u64)>> {
    let mut inner = cursor.inner(head.len)?;
    let mut goes_on = None;
    match head.kind {
        message::CONTINUATION => goes_on = Some((inner.u64()?, inner.u64()?)),
        message::ATTRIBUTE if head.is_shared => attributes.are_elsewhere = true,
        message::ATTRIBUTE => attribute(source, &mut inner, attributes)?,
        message::ATTRIBUTE_INFO => {
            ensure(inner.byte()? == 0)?;
            let flags = inner.byte()?;
            inner.skip(if flags & 1 != 0 { 2 } else { 0 })?;
            attributes.are_elsewhere |= inner.u64()? != UNDEFINED;
        }
        _ => {}
    }
    cursor.resume(inner);
    Ok(goes_on)
}

fn attribute(source: &dyn ReadAt, cursor: &mut Cursor<'_>, attributes: &mut Attributes) -> Walk<()> {
    let version = cursor.byte()?;
    ensure(matches!(version, 1..=3))?;
    cursor.skip(1)?;
    let (name_len, type_len, space_len) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
    cursor.skip(if version == 3 { 1 } else { 0 })?;
    // the first version pads each of them
    let padded = |len: u16| if version == 1 { u64::from(len).next_multiple_of(8) } else { len.into() };
    let name = cursor.bytes(padded(name_len))?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
    let type_start = cursor.at();
    let (kind, _bits, width) = (cursor.byte()? & 0x0f, cursor.array::<3>()?, cursor.u32()?);
    cursor.seek(type_start)?;
    cursor.skip(padded(type_len))?;
    cursor.skip(padded(space_len))?;
    if CONFIGS.contains(&name.as_slice()) {
        ensure(attributes.configs.len() < CONFIGS_MAX)?;
        let text = match kind {
            class::TEXT if u64::from(width) <= cursor.left() => Some(cursor.bytes(width.into())?),
            class::VARIABLE => heap_text(source, cursor)?,
            _ => None,
        };
        let without_padding = |text: Vec<u8>| text.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        attributes.configs.push((name, text.map(without_padding)));
    }
    Ok(())
}

/// A text in a collection of the global heap; `None` if it is not there, or too long.
fn heap_text(source: &dyn ReadAt, reference: &mut Cursor<'_>) -> Walk<Option<Vec<u8>>> {
    let (len, collection, wanted) = (u64::from(reference.u32()?), reference.u64()?, reference.u32()?);
    let mut cursor = Cursor::new(source, collection, source.len());
    ensure(cursor.array::<4>()? == *b"GCOL")?;
    cursor.skip(4)?;
    let heap_len = cursor.u64()?;
    let end = collection.checked_add(heap_len).ok_or(Stop::Malformed)?;
    while cursor.at() < end && cursor.left() >= 16 {
        let index = cursor.u16()?;
        cursor.skip(6)?;
        let held = cursor.u64()?;
        if index == 0 {
            return Ok(None);
        }
        if u32::from(index) == wanted {
            return if len <= held && len <= keras::CONFIG_LEN_MAX { cursor.bytes(len).map(Some) } else { Ok(None) };
        }
        cursor.skip(held.checked_next_multiple_of(8).ok_or(Stop::Malformed)?)?;
    }
    Ok(None)
}
