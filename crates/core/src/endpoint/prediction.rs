//! One request that reached an endpoint: its id, which is also its address, and the record that is kept of it.

mod distance;
mod draw;
mod id;
mod node;
mod outcome;
mod record;
mod stored;
mod trace;
pub mod v1;

pub use self::{
    draw::{ArmTaken, Chosen, Draw, GivenBy},
    id::{PredictionAddress, PredictionId, PredictionIdError, PredictionKey},
    node::{LoggedTensor, NodeEnding, NodeRecord},
    outcome::{FailureKind, Outcome, RefusalKind},
    record::{
        OVERRIDDEN_ROWS_MAX, OverrideEffect, OverrideRecord, PredictionRecord, RECORD_VERSION, REPORTED_REVISION,
        Reported,
    },
    stored::RecordError,
    trace::{Hex, Trace},
};
