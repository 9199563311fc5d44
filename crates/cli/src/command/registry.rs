//! All that is registered.

pub(super) mod search;
