//! What looking through records by some of what they say has found, and what it took.

use stemma_core::Timestamp;

/// The rows that may be looked for, and what it took to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sifted {
    /// Time and number of each row that is not ruled out, in the order of the numbers.
    pub rows: Vec<(Timestamp, u32)>,
    /// Rows that are damaged: what they hold is not known.
    pub unreadable: u64,
    pub effort: Effort,
}

/// What it took to look through something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effort {
    /// Row groups that statistics or filters ruled out, without a row being read.
    pub ruled_out: u64,
    /// Row groups that had to be read because they have no filter that would have told.
    pub unfiltered: u64,
    /// Rows that were looked at.
    pub rows: u64,
}

impl Effort {
    pub fn add(&mut self, other: Self) {
        self.ruled_out += other.ruled_out;
        self.unfiltered += other.unfiltered;
        self.rows += other.rows;
    }
}
