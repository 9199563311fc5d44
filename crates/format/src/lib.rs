//! What lies where in a file: its tensors, its members, and the places where the bytes of one thing end and those of the
//! next begin.
//!
//! [`outline()`] looks at headers only and hands out no content. Files are untrusted: whatever a header claims, reading
//! it allocates and loops no more than [`PARTS_MAX`] parts and [`HEADER_MAX`] bytes of header. A file whose headers make
//! no sense has no outline, which is no error: it is only kept and compared as plain bytes.
//!
//! Who asks other questions of a file's headers walks them with the same tools: [`walk`], [`archive`], [`protobuf`].

pub mod archive;
mod dtype;
mod gguf;
mod npy;
mod onnx;
mod outline;
mod parquet;
mod pickle;
pub mod protobuf;
mod read_at;
mod recognise;
mod safetensors;
mod thrift;
mod torch;
pub mod walk;
mod zip;

pub use dtype::Dtype;
pub use outline::{Format, HEADER_MAX, Outline, PARTS_MAX, Part, TensorType};
pub use parquet::{PageHead, nesting as parquet_nesting, page_head as parquet_page};
pub use read_at::ReadAt;
pub use recognise::{may_have_outline, outline, outline_of_all};
