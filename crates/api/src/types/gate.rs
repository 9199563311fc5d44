//! How gates stand, and regression cases.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    case::{CaseResult, RegressionCase},
    name::GateName,
    record::GateReport,
};

/// `GET …/gates`: every declared gate of a version with its newest report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateStandings {
    pub version: String,
    pub gates: Vec<GateStanding>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateStanding {
    pub gate: GateName,
    /// Absent if the gate has not run on this version.
    pub report: Option<GateReport>,
    /// Made under another declaration than today's: it does not count.
    pub stale: bool,
}

/// `POST …/cases`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunCases {
    pub cases: Vec<RegressionCase>,
}

/// What came of the cases; nothing is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseResults {
    pub version: String,
    pub results: Vec<CaseResult>,
}
