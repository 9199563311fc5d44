//! Runs: what was executed, with what, and what came of it.

pub mod packages;
pub(crate) mod track;
