//! What lies where in a file: its tensors, its members, and the places where the bytes of one thing end and those of the
//! next begin.
//!
//! [`outline`] looks at headers only and hands out no content. Files are untrusted: whatever a header claims, reading
//! it allocates and loops no more than [`PARTS_MAX`] parts and [`HEADER_MAX`] bytes of header. A file whose headers make
//! no sense has no outline, which is no error: it is only kept and compared as plain bytes.

mod dtype;
mod gguf;
mod npy;
mod onnx;
mod parquet;
mod pickle;
mod safetensors;
mod thrift;
mod torch;
mod walk;
mod zip;

use std::{io, sync::Arc};

pub use dtype::Dtype;
pub use parquet::PageHead;

/// Most parts that an outline has; a file that claims more has no outline.
pub const PARTS_MAX: usize = 1 << 20;
/// Longest header that is read.
pub const HEADER_MAX: u64 = 100 << 20;

/// ONNX writes biases and constants between the weights; a part of its own is not worth it for those.
const ONNX_PART_LEN_MIN: u64 = 64 << 10;
/// Bytes that tell one format from the other.
const MAGIC_LEN_MAX: usize = 9;

/// Bytes that can be read anywhere: a file, or stored content.
pub trait ReadAt {
    fn len(&self) -> u64;

    /// Fills `buffer` with the bytes from `offset` on; all of it, or it is an error (`UnexpectedEof`).
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes from `offset` on, at most `len` of them and fewer only at the end.
    fn bytes_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let rest = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; len.min(rest)];
        self.read_exact_at(offset, &mut bytes)?;
        Ok(bytes)
    }
}

impl ReadAt for [u8] {
    fn len(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(buffer.len());
        buffer.copy_from_slice(self.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_exact_at(offset, buffer)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Safetensors,
    Gguf,
    Onnx,
    Npy,
    /// A zip archive: torch checkpoints, `.npz`.
    Zip,
    Parquet,
}

/// What a file consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    pub format: Format,
    /// In the order in which they lie in the file, none empty and none overlapping. Between them there may be gaps
    /// (headers, padding), which belong to no part.
    pub parts: Vec<Part>,
}

/// A stretch of a file that belongs together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub start: u64,
    /// In bytes, at least 1.
    pub len: u64,
    /// The same thing in another version of the file has the same name: a tensor's, a zip member's, a column chunk's.
    pub name: Arc<str>,
    /// Set if the bytes are a plain little-endian array: element type and shape.
    pub tensor: Option<TensorType>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TensorType {
    pub dtype: Dtype,
    pub shape: Vec<u64>,
}

impl TensorType {
    /// Bytes that such an array takes; `None` if no number can say it.
    pub fn byte_len(&self) -> Option<u64> {
        let elements = self.shape.iter().try_fold(1u64, |product, side| product.checked_mul(*side))?;
        elements.checked_mul(self.dtype.width() as u64)
    }
}

impl Part {
    pub fn end(&self) -> u64 {
        self.start + self.len
    }
}

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

/// How deep the columns of a Parquet file are nested; `None` if its footer makes no sense.
pub fn parquet_nesting(source: &dyn ReadAt) -> io::Result<Option<u32>> {
    parquet::nesting(source)
}

/// The head of the Parquet page that begins at a place; `None` if none does.
pub fn parquet_page(source: &dyn ReadAt, start: u64) -> io::Result<Option<PageHead>> {
    parquet::page_head(source, start)
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
        start if start.starts_with(zip::MAGIC) => Some(Format::Zip),
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

impl Outline {
    /// Parts in order, none empty, none overlapping, none beyond what numbers can say, each as long as its tensor.
    fn is_sound(&self) -> bool {
        let mut end = 0;
        self.parts.len() <= PARTS_MAX
            && self.parts.iter().all(|part| {
                let tensor_fits = part.tensor.as_ref().is_none_or(|tensor| tensor.byte_len() == Some(part.len));
                let follows = part.len > 0 && part.start >= end && tensor_fits;
                end = part.start.saturating_add(part.len);
                follows && end < u64::MAX
            })
    }
}
