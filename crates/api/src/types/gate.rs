//! How gates stand, and regression cases.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    case::{CaseResult, RegressionCase},
    id::EvidenceId,
    name::GateName,
    record::{CheckResult, GateReport},
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

impl GateStanding {
    /// Somebody should look at it: it ran and failed, or does not count any more.
    pub fn is_open(&self) -> bool {
        self.stale || self.report.as_ref().is_some_and(|report| !report.passed)
    }

    pub fn checks_failed_first(&self) -> Vec<&CheckResult> {
        let mut checks: Vec<&CheckResult> = self.report.iter().flat_map(|report| &report.checks).collect();
        checks.sort_by_key(|check| check.passed);
        checks
    }
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

/// `POST …/validate` answers with this: blessed if the report passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Validated {
    pub version: String,
    pub evidence: EvidenceId,
    pub report: GateReport,
}

/// `POST …/gates`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RunGates {
    /// Empty: all that are declared.
    #[serde(default)]
    pub gates: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateResults {
    pub version: String,
    pub results: Vec<GateReport>,
}
