//! How it is known what chance alone does.

/// The distribution of a statistic if there is no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chance {
    /// All outcomes are counted.
    Exact,
    /// The distribution is that of many rows.
    Approximate,
}
