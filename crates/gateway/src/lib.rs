//! The data plane: answers a prediction fast and remembers it.
//!
//! Knows no ledger, no engine, no SQL and no web framework. It sees a [`RouteTable`], swapped whole through a watch
//! channel, and emits prediction records into a [`PredictionLog`]; a request touches no database.

pub mod access;
mod answer;
pub mod compose;
mod gateway;
pub mod http;
pub mod log;
pub mod overrule;
pub mod protocol;
pub mod runtime;
pub mod seal;
pub mod stats;
pub mod table;
pub mod turns;

pub use access::{Access, AccessError, Grant, Projects};
pub use compose::Program;
pub use gateway::Gateway;
pub use log::{
    AppendError, Extent, LogError, LogOptions, NewRecord, PredictionLog, SegmentId, SegmentSeen, look_at_segments,
};
pub use overrule::Overrides;
pub use runtime::{RunFailure, Runtime};
pub use seal::{ArmCounts, SealError, SealedError, SealedPart, count_sealed, read_sealed, read_sealed_rows};
pub use stats::{ArmStats, EndpointStats};
pub use table::{Endpoint, LoadError, RouteTable};
pub use turns::{NoTurn, Turn, TurnLimits, Turns};
