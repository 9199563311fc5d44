//! Bringing in what other tools keep: DVC and git-lfs repositories, with their history.
//!
//! Their repositories are read and never written to. No name is believed: every object is hashed again by the tool's own
//! rule and gets our digests; what does not fit is left out and named, and the rest goes on.

mod dvc;
mod error;
mod history;
mod imported;
mod left_out;
mod lfs;
mod naming;
mod object;
mod take;
mod version;

#[cfg(fuzzing)]
pub use self::dvc::fuzzing;
pub use self::{
    dvc::{DvcRequest, import_dvc},
    error::ImportError,
    imported::Imported,
    left_out::{LeftOut, LeftOutKind, worst},
    lfs::{LfsRequest, import_lfs},
    naming::{choose_names, enter},
    take::Tally,
    version::ForeignVersion,
};
