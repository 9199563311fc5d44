//! What is to be removed, and who has been told: the collector's marks, and the leases of those who add content.
//!
//! Both are files that processes agree by; what they agree on is told in `gc`.

mod file;
mod lease;

pub(crate) use file::{Mark, Marks, MarksId, dir, load, make_dir, peek, store};
pub use lease::Lease;
pub(crate) use lease::Leases;
