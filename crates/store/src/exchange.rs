//! Records on their way between stores: taken out, carried in packs that stand alone, and taken in after a check.
//!
//! Whoever carries records knows their names and lengths, not what is in them. A record is of use only together with
//! what it [`needs`](Record::needs); carriers write what is needed before what needs it, so a record that is there
//! proves that the rest is there too.

mod builder;
mod check;
mod contents;
mod export;
mod record;

pub use builder::{FinishedPack, PackBuilder};
pub(crate) use check::check;
pub use contents::{PackContents, RecordPlace};
pub(crate) use export::{export, members, members_by, recipes};
pub(crate) use record::pieces;
pub use record::{Record, RecordFault, RecordId, RecordKind};
