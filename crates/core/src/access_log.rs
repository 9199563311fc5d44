//! The access log: who was refused, and who read content, models and predictions. What is kept of it, and how much.

mod entry;
mod limiter;

pub use self::{
    entry::{
        ACCESS_VERSION, ADDRESS_BYTES_MAX, Access, AccessEntry, AccessError, AccessOutcome, ENTRY_BYTES_MAX,
        StoredAccess, Unwritten, WhyUnwritten, written_address,
    },
    limiter::{AccessLimits, Limiter},
};
