//! That a version is kept back, and is no longer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fact::Fact;

/// That a version is kept back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InQuarantine {
    pub reason: String,
    pub since: Fact,
}

/// `POST …/versions/{version}/quarantine`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetQuarantine {
    /// Callers of endpoints that nothing may answer for are told.
    pub reason: String,
    /// Each endpoint that it answers goes back to the newest clean revision in the same commit. Needs the right `deploy` too.
    #[serde(default)]
    pub pull: bool,
}

/// `POST …/versions/{version}/quarantine/lift`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LiftQuarantine {
    pub reason: String,
}
