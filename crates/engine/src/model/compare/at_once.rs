//! How many comparisons there are at a time.

use tokio::sync::Semaphore;

/// Each holds two models, or the rows of two, and some tables in memory.
pub static AT_ONCE: Semaphore = Semaphore::const_new(2);
