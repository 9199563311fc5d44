//! The access log: who was refused and who read, in append-only segments beside those of the other logs.
//!
//! Its frames are those of the prediction log (`log/frame`), all of one endpoint that there is not. A payload is one line of
//! JSON (`core::access_log`). What is noted waits in memory for the next flush, so that no request waits for a disk; how
//! much of it is written one by one is limited, and the rest is a number.

mod log;
mod seal;

pub use self::{
    log::{ACCESS_OPTIONS, AccessLog, AccessState, AccessesOnDisk},
    seal::SealedAccess,
};
