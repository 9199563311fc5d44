//! Removing what nobody needs any more, while other processes write.
//!
//! The caller knows what is needed: the contents that its facts name, the *roots*. Everything else in the packs is
//! garbage, unless somebody is about to name it. Two things keep that apart, without any writer waiting for a
//! collector or a collector for a writer:
//!
//! * **Marks** (`marks`): a collector first only marks garbage, one copy of a record at a time, under a new generation
//!   number. A writer takes a marked copy for absent and writes the record again, so whoever needs a marked record
//!   after all has a copy of its own that no mark names.
//! * **Leases** (`lease`): a writer holds one from before it looks for anything until its reference is recorded. The
//!   lease says which generation of the marks it goes by. A mark is swept only if every living lease has read it:
//!   a writer that went by older marks may have taken the record for present.
//!
//! So a copy is removed only if it is garbage by roots that were read *after* the leases, and its mark is older than
//! the grace period and known to every lease. The order counts: a writer that is gone when the leases are read has
//! recorded its reference by then, and the roots have it. That is why [`Store::gc`](crate::Store::gc) takes a function that reads the
//! roots and not the roots themselves, and why one pass never sweeps what it marked itself. The model in
//! `tests/it/protocol.rs` searches all interleavings, and shows for each of these rules that content is lost without it.
//!
//! What is left of a pack is copied into another one, which is on disk before the old one goes; what had a mark there
//! and is not yet to be swept is marked anew. The lock of the old pack is held meanwhile. Readers of other processes
//! whose index names the old place look again.
//!
//! Nothing is removed if anything that is needed can't be read: what hangs on it would look like garbage. A recipe goes
//! before the parts of its content. What something needed is a difference to stays, and a whole chunk is never given up
//! for a copy that is a difference; only a purge turns what depends on purged chunks into whole ones.

mod collector;
mod plan;
mod purge;
mod reach;
mod report;
mod sizes;
mod sweep;
#[cfg(test)]
mod tests;

pub(crate) use collector::{collect, is_under_way, replace_packs};
pub(crate) use plan::plan;
pub use purge::PurgeReport;
pub(crate) use purge::purge;
pub(crate) use reach::each_record;
pub use report::{Amount, GRACE_DEFAULT, GcOptions, GcProgress, GcReport, Roots};
pub use sizes::ContentSize;
pub(crate) use sizes::stored_sizes;
