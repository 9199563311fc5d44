//! How a chunk's bytes are kept: as they are, compressed, as planes of numbers, or as what differs from another chunk.
//!
//! Payloads (numbers little-endian):
//!
//! | codec            | payload                                                                             |
//! | ---------------- | ----------------------------------------------------------------------------------- |
//! | 0 raw            | the plain bytes                                                                     |
//! | 1 zstd           | a zstd frame                                                                        |
//! | 2 planes         | planes, see below                                                                   |
//! | 3 planes delta   | [`Dependency`], planes                                                              |
//! | 4 zstd delta     | [`Dependency`], a zstd frame that has the plain bytes of the base as its prefix     |
//!
//! Planes are: width of an element (u8), [`Transform`] (u8), and for each plane its length (u32, highest bit set if it
//! is a zstd frame), then the planes; then plain bytes that are no whole element.

mod decode;
mod dependency;
mod encode;
mod frame;
mod guess;
mod planes;
mod sampler;

pub(crate) use decode::decode;
pub(crate) use dependency::{Base, DEPENDENCY_LEN, DEPTH_MAX, Dependency};
pub(crate) use encode::{Encoded, Hint, encode};
pub(crate) use planes::Array;
pub(crate) use sampler::Sampler;
