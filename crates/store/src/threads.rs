//! Work that several threads share, and that is as if one had done it.

mod in_order;
mod sha256;

pub(crate) use in_order::in_order;
pub(crate) use sha256::Sha256Thread;
