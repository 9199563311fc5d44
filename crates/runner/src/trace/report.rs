use serde::{Deserialize, Serialize};
use stemma_core::Timestamp;

use crate::{
    capture::Capture,
    command::{Exit, Usage},
};

/// What the tracer says to the process that started it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    Started {
        pid: i32,
    },
    Exited {
        exit: Exit,
        ended: Timestamp,
        usage: Usage,
    },
    Finished {
        capture: Capture,
    },
    /// This machine doesn't permit tracing.
    Refused {
        reason: String,
    },
    /// The walls of its sandbox could not be raised.
    NotContained {
        what: String,
        errno: i32,
    },
    /// The program could not be started at all.
    NotStarted {
        errno: i32,
    },
}
