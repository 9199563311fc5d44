//! What people say of things: descriptions, owners, licences, tags.

pub(super) mod describe;
pub(super) mod tag;
