//! Which format a file has, and its outline by that.

use std::io;

use crate::{
    archive, gguf, npy, onnx,
    outline::{Format, Outline},
    parquet,
    read_at::ReadAt,
    safetensors, zip,
};

/// ONNX writes biases and constants between the weights; a part of its own is not worth it for those.
const ONNX_PART_LEN_MIN: u64 = 64 << 10;
/// Bytes that tell one format from the other.
const MAGIC_LEN_MAX: usize = 9;

/// Whether a file that begins so can be of a format that has an outline. Cheap, and sometimes wrong in saying yes.
pub fn may_have_outline(beginning: &[u8]) -> bool {
    kind_of(beginning).is_some()
}

/// Looks at a file's headers; `None` if it is of no known format, or malformed. Errors are those of reading.
pub fn outline(source: &dyn ReadAt) -> io::Result<Option<Outline>> {
    checked(source, parse(source, ONNX_PART_LEN_MIN)?)
}

/// As [`outline`], with the tensors that are too small to be worth storing on their own.
pub fn outline_of_all(source: &dyn ReadAt) -> io::Result<Option<Outline>> {
    checked(source, parse(source, 1)?)
}

fn checked(source: &dyn ReadAt, found: Option<Outline>) -> io::Result<Option<Outline>> {
    Ok(found
        .filter(Outline::is_sound)
        .map(|mut outline| {
            outline.parts.shrink_to_fit();
            outline
        })
        .filter(|outline| outline.parts.last().is_none_or(|last| last.end() <= source.len())))
}

/// By the first bytes; ONNX and safetensors have no magic of their own.
fn kind_of(beginning: &[u8]) -> Option<Format> {
    let start = &beginning[..beginning.len().min(MAGIC_LEN_MAX)];
    match start {
        start if start.starts_with(gguf::MAGIC) => Some(Format::Gguf),
        start if start.starts_with(npy::MAGIC) => Some(Format::Npy),
        start if start.starts_with(archive::MAGIC) => Some(Format::Zip),
        start if start.starts_with(parquet::MAGIC) => Some(Format::Parquet),
        [.., b'{'] if start.len() == MAGIC_LEN_MAX => Some(Format::Safetensors),
        start if start.starts_with(onnx::FIRST_TAG) => Some(Format::Onnx),
        _ => None,
    }
}

fn parse(source: &dyn ReadAt, onnx_part_len_min: u64) -> io::Result<Option<Outline>> {
    match kind_of(&source.bytes_at(0, MAGIC_LEN_MAX)?) {
        Some(Format::Gguf) => gguf::outline(source),
        Some(Format::Npy) => npy::outline(source),
        Some(Format::Zip) => zip::outline(source),
        Some(Format::Parquet) => parquet::outline(source),
        Some(Format::Safetensors) => safetensors::outline(source),
        Some(Format::Onnx) => onnx::outline(source, onnx_part_len_min),
        None => Ok(None),
    }
}
