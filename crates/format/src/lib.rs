//! What lies where in a file: its tensors, its members, and the places where the bytes of one thing end and those of the
//! next begin.
//!
//! [`outline`] looks at headers only and hands out no content. Files are untrusted: whatever a header claims, reading
//! it allocates and loops no more than [`PARTS_MAX`] parts and [`HEADER_MAX`] bytes of header. A file whose headers make
//! no sense has no outline, which is no error: it is only kept and compared as plain bytes.

mod dtype;
mod safetensors;

use std::{io, sync::Arc};

pub use dtype::Dtype;

/// Most parts that an outline has; a file that claims more has no outline.
pub const PARTS_MAX: usize = 1 << 20;
/// Longest header that is read.
pub const HEADER_MAX: u64 = 100 << 20;

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

impl Part {
    pub fn end(&self) -> u64 {
        self.start + self.len
    }
}

/// Whether a file that begins so can be of a format that has an outline. Cheap, and often wrong in saying yes.
pub fn may_have_outline(beginning: &[u8]) -> bool {
    safetensors::may_begin(beginning)
}

/// Looks at a file's headers; `None` if it is of no known format, or malformed. Errors are those of reading.
pub fn outline(source: &dyn ReadAt) -> io::Result<Option<Outline>> {
    let found = safetensors::outline(source)?;
    Ok(found
        .filter(Outline::is_sound)
        .map(|mut outline| {
            outline.parts.shrink_to_fit();
            outline
        })
        .filter(|outline| outline.parts.last().is_none_or(|last| last.end() <= source.len())))
}

impl Outline {
    /// Parts in order, none empty, none overlapping, none beyond what numbers can say.
    fn is_sound(&self) -> bool {
        let mut end = 0;
        self.parts.len() <= PARTS_MAX
            && self.parts.iter().all(|part| {
                let follows = part.len > 0 && part.start >= end;
                end = part.start.saturating_add(part.len);
                follows && end < u64::MAX
            })
    }
}
