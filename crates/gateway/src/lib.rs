//! The data plane: answers a prediction fast and remembers it.
//!
//! Knows no ledger, no engine, no SQL and no web framework. It sees one [`RouteTable`], swapped whole, and emits
//! prediction records into a [`PredictionLog`]; a request touches no database and waits for no table.

pub mod access;
mod access_log;
mod admit;
mod answer;
mod arrival;
mod compose;
pub mod feedback;
mod gateway;
pub mod http;
mod live;
pub mod log;
mod overrule;
pub mod protocol;
mod question;
mod ran;
mod refused;
mod remember;
mod runtime;
pub mod seal;
mod sifted;
pub mod stats;
pub mod table;
pub mod turns;
mod values;

pub use access::{Access, AccessError, Grant};
pub use access_log::{ACCESS_OPTIONS, AccessLog, AccessState, AccessesOnDisk, SealedAccess};
pub use compose::{Program, ProgramError};
pub use feedback::{FeedbackLog, FeedbackRows, PlacedFeedback, SealedFeedback, read_feedback};
pub use gateway::{Gateway, WAITING_EACH_MAX};
pub use live::LiveTable;
pub use log::{
    AppendError, ArmCounts, EncodedRecord, Extent, HeldSegment, LogError, LogOptions, NewRecord, PredictionLog, Seen,
    SegmentId, SegmentSeen, Unread, look_at_segments,
};
pub use question::{ELEMENTS_MAX, Invalid, Question, ROWS_MAX};
pub use ran::{Failure, Ran, StepRan};
pub use runtime::{Loader, RunFailure, Runtime, on_its_own_thread};
pub use seal::{
    Answerer, Mark, OpenPart, SealError, SealedError, SealedPart, count_reported, count_sealed, read_answerers,
    read_marks, read_sealed, read_sealed_rows,
};
pub use sifted::{Effort, Sifted};
pub use stats::{AllCounters, ArmStats, EndpointStats};
pub use table::{Endpoint, LoadError, RouteTable, Routes};
pub use turns::{NoTurn, Turn, TurnLimits, Turns};
