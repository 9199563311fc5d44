//! What whoever waits is told.

use stemma_remote::Progress;

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The home is checked against itself.
    Audit,
    /// Content is on its way.
    Content,
    /// The ledger and the other files are.
    Parts,
}

/// Told what is under way, and how far.
pub type Told<'a> = &'a mut (dyn FnMut(Step, Progress) + Send);
