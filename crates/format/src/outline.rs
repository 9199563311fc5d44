//! What is known of a file by its headers.

use std::sync::Arc;

use crate::dtype::Dtype;

/// Most parts that an outline has; a file that claims more has no outline.
pub const PARTS_MAX: usize = 1 << 20;
/// Longest header that is read.
pub const HEADER_MAX: u64 = 100 << 20;

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

impl Outline {
    /// Parts in order, none empty, none overlapping, none beyond what numbers can say, each as long as its tensor.
    pub(crate) fn is_sound(&self) -> bool {
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
