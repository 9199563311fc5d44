//! Runs: how models come about.

mod auto_register;
pub(super) mod run;
pub(super) mod runs;
