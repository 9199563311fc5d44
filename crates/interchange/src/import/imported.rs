use stemma_store::Lease;

use super::{left_out::LeftOut, take::Tally, version::ForeignVersion};

/// What an import brought in.
pub struct Imported {
    /// Oldest revision first.
    pub found: Vec<ForeignVersion>,
    pub left_out: Vec<LeftOut>,
    /// What is worth knowing and no fault.
    pub notes: Vec<String>,
    pub tally: Tally,
    /// Commits with a pointer that counts.
    pub revisions: usize,
    /// Keeps the contents until somebody refers to them.
    pub lease: Lease,
}
