//! Runs: how models come about.

pub(super) mod run;
pub(super) mod runs;
