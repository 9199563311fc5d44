//! The file system: what it tells of files, locks that nobody waits for long, and writes that last.

pub(crate) mod direct;
pub(crate) mod durable;
pub(crate) mod lock;
mod stamp;

pub use stamp::{FileStamp, Moment, tick_ns};
