//! The access log of a home: noted by whoever serves it, sealed into content each hour, and asked by auditors.

mod find;
mod keep;
mod seal;

pub use self::find::PART_BYTES_MAX;
