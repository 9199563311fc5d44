//! How things hang together.

pub(super) mod impact;
pub(super) mod lineage;
pub(super) mod link;
pub(super) mod show;
