//! All that is registered.

pub(super) mod search;
pub(super) mod tag;
