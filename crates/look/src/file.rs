//! A file: its format by its first bytes, and then by what that format must have.

use std::io;

use stemma_core::look::{Look, ModelFormat};
use stemma_format::{
    Format, ReadAt, archive as zip, outline_of_all,
    protobuf::{self, Value},
    walk::{Cursor, Walk, ensure, settle},
};

use crate::{
    archive,
    fault::Fault,
    findings::Findings,
    hdf5,
    pickle::{self, Scanned},
    tape::{Budget, Packed, Stop, Tape},
    text, ubjson,
};

/// Bytes that tell one format from the other.
const BEGINNING: usize = 64;
const GGUF: &[u8] = b"GGUF";
const GZIP: &[u8] = b"\x1f\x8b\x08";
/// An ONNX file's first field, its version. A pickle can't begin so: there is no such opcode.
const ONNX_VERSION: u8 = 1 << 3;
/// The first pickle of what `torch.save` wrote before version 1.6: a number of its own.
const LEGACY_TORCH: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// Magic number, protocol, system, the model, and the keys of its storages; then their bytes.
const LEGACY_TORCH_PICKLES: usize = 5;
/// What joblib compresses with, beside zlib and gzip.
const PACKED: [(&[u8], &str); 5] = [
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"]\0\0\x80", "lzma"),
    (b"\x04\"M\x18", "LZ4"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
];

/// Looks at a model that is one file.
pub fn look_at_file(source: &dyn ReadAt) -> Result<Look, Fault> {
    if source.is_empty() {
        return Err(Fault::Empty);
    }
    findings(source, &Budget::new()).map(Findings::look)
}

pub(crate) fn findings(source: &dyn ReadAt, budget: &Budget) -> Result<Findings, Fault> {
    let start = source.bytes_at(0, BEGINNING)?;
    Ok(match start.as_slice() {
        start if start.starts_with(GGUF) => gguf(source, budget)?,
        start if start.starts_with(zip::MAGIC) => archive::findings(source, budget)?,
        start if start.starts_with(hdf5::MAGIC) => hdf5::findings(source)?,
        start if start.starts_with(LEGACY_TORCH) => legacy_torch(source, budget)?,
        start if start.get(8) == Some(&b'{') && is_outlined(source, Format::Safetensors)? => {
            arrays(source, ModelFormat::Safetensors, budget)?
        }
        start if text::is_lightgbm(start) => text::lightgbm(source)?,
        start if ubjson::may_be(start) => ubjson::findings(source)?,
        start if text::may_be_json(start) => text::json(source)?,
        start if start.starts_with(GZIP) => packed(source, Packed::Gzip, budget)?,
        start if is_zlib(start) => packed(source, Packed::Zlib, budget)?,
        [ONNX_VERSION, ..] if is_onnx(source)? => Findings::of(ModelFormat::Onnx),
        start => match PACKED.iter().find(|(magic, _)| start.starts_with(magic)) {
            Some((_, name)) => Findings::opaque(format!("what is compressed with {name}")),
            None => maybe_pickle(source, budget)?,
        },
    })
}

/// Whether its headers make sense as those of a format that is headers and arrays.
fn is_outlined(source: &dyn ReadAt, format: Format) -> io::Result<bool> {
    Ok(outline_of_all(source)?.is_some_and(|outline| outline.format == format))
}

fn gguf(source: &dyn ReadAt, budget: &Budget) -> Result<Findings, Fault> {
    match is_outlined(source, Format::Gguf)? {
        true => arrays(source, ModelFormat::Gguf, budget),
        false => Ok(Findings::opaque("it begins as a GGUF file, but its header makes no sense")),
    }
}

/// What is headers and arrays to its own library, and may begin as a pickle does: to whoever loads it as one, it is one.
fn arrays(source: &dyn ReadAt, format: ModelFormat, budget: &Budget) -> Result<Findings, Fault> {
    let mut found = Findings::of(format);
    let scanned = pickle::scan(&mut Tape::plain(source, 0, source.len()), budget)?;
    if scanned.may_be_loaded() {
        found.pickle(&scanned, None)?;
    }
    Ok(found)
}

fn legacy_torch(source: &dyn ReadAt, budget: &Budget) -> Result<Findings, Fault> {
    let scanned = pickle::scan(&mut Tape::plain(source, 0, source.len()), budget)?;
    let mut found = Findings::of(ModelFormat::Torch);
    found.pickle(&scanned, None)?;
    if scanned.has_rest && scanned.pickles != LEGACY_TORCH_PICKLES {
        found.unseen.push("what follows its pickles".to_owned());
    }
    Ok(found)
}

/// By protocol 2 and later a pickle says so; what older ones begin with can begin anything. What follows a pickle keeps
/// nobody from loading it.
fn maybe_pickle(source: &dyn ReadAt, budget: &Budget) -> Result<Findings, Fault> {
    let scanned = pickle::scan(&mut Tape::plain(source, 0, source.len()), budget)?;
    let says_so = source.bytes_at(0, 2)?.starts_with(&[0x80]);
    let is_whole = scanned.pickles > 0 && (!scanned.has_rest || !scanned.imports.is_empty());
    match says_so || is_whole || scanned.is_dangerous() {
        true => of_pickle(&scanned, ModelFormat::Pickle),
        false => Ok(Findings::opaque("its bytes, which are of no known format")),
    }
}

fn of_pickle(scanned: &Scanned, format: ModelFormat) -> Result<Findings, Fault> {
    let format = if scanned.has_arrays { ModelFormat::Joblib } else { format };
    let mut found = Findings::of(format);
    found.pickle(scanned, None)?;
    if scanned.has_rest {
        found.unseen.push("what follows the pickle".to_owned());
    }
    Ok(found)
}

/// What joblib writes compressed.
fn packed(source: &dyn ReadAt, packed: Packed, budget: &Budget) -> Result<Findings, Fault> {
    let tape = || Tape::inflated(source, 0, source.len(), packed, budget);
    let begins = match tape().peek(1) {
        Ok(start) => start == [0x80],
        Err(Stop::Io(error)) => return Err(error.into()),
        Err(Stop::Odd(_)) => false,
    };
    if !begins {
        return Ok(Findings::opaque("what is compressed in it, which is no pickle"));
    }
    of_pickle(&pickle::scan(&mut tape(), budget)?, ModelFormat::Joblib)
}

/// By RFC 1950: deflate with a window of up to 32 KiB, and a check of both bytes.
fn is_zlib(start: &[u8]) -> bool {
    matches!(start, [0x78, flags, ..] if (0x7800 + u16::from(*flags)).is_multiple_of(31))
}

/// Whether it is a message with a version, which comes first in every one that a library of ONNX wrote, and a graph,
/// whatever else it has. That it can be evaluated is more.
fn is_onnx(source: &dyn ReadAt) -> io::Result<bool> {
    let walk = || -> Walk<()> {
        let mut cursor = Cursor::new(source, 0, source.len());
        let (mut has_version, mut has_graph) = (false, false);
        while cursor.left() > 0 {
            let (field, value) = protobuf::next(&mut cursor)?;
            has_version |= matches!((field, value), (1, Value::Number(_)));
            has_graph |= matches!((field, value), (7, Value::Bytes(_)));
            protobuf::skip(&mut cursor, &value)?;
        }
        ensure(has_version && has_graph)
    };
    settle(walk()).map(|found| found.is_some())
}
