//! The vocabulary and the rules of Stemma, so that every room speaks the same words.
//!
//! Nothing here does I/O, is async, or knows SQL or HTTP: outer rooms fetch and store, this one decides.

pub mod access_log;
pub mod at;
pub mod audit;
pub mod behaviour;
pub mod canonical;
pub mod card;
pub mod case;
pub mod class;
pub mod clock;
pub mod condition;
pub mod content_list;
pub mod digest;
pub mod endpoint;
pub mod error;
pub mod event;
pub mod external;
pub mod hermetic;
pub mod history;
pub mod id;
pub mod leak;
pub mod lineage;
pub mod look;
pub mod meaning;
pub mod metric;
pub mod moment;
pub mod name;
pub mod naming;
pub mod near;
pub mod password;
pub mod pattern;
pub mod pointer;
pub mod policy;
pub mod recommend;
pub mod record;
pub mod redact;
pub mod refusal;
pub mod reproduction;
pub mod rights;
pub mod search;
pub mod signature;
pub mod span;
pub mod standing;
pub mod version;
pub mod visible;
pub mod written_time;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use digest::{ContentId, Digest, Sha256};
pub use error::{ErrorKind, Problem};
pub use refusal::Refusal;
