//! How much of what could be done without end is done.

/// How much of what repeats itself is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    Short,
    Long,
}
