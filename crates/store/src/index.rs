//! What this process knows about all packs, and the files behind it.
//!
//! The index is only ever behind what other processes have committed: a name that is not found makes it look at
//! the folder again. `state` is what is known, `shared` lets all threads ask it, `following` looks at the folder,
//! `reading` fetches records, `relying` says which of them stay, `writing` finds packs to write to.

mod following;
mod reading;
mod relying;
mod shared;
mod state;
#[cfg(test)]
mod tests;
mod writing;

pub(crate) use reading::{CopyFault, ROTTEN, Stored};
pub(crate) use relying::Reliance;
pub(crate) use shared::Index;
