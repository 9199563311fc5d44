//! Everything that is kept of one request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    draw::{ArmTaken, Draw},
    node::{LoggedTensor, NodeRecord},
    outcome::Outcome,
    trace::Trace,
};
use crate::{
    Digest, Timestamp,
    name::{EndpointName, PrincipalName},
};

/// The version of the stored format that is written.
pub const RECORD_VERSION: u32 = 2;

/// What an override did to one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverrideRecord {
    pub name: String,
    #[serde(flatten)]
    pub effect: OverrideEffect,
}

/// Most rows of a record for which the value before an override is kept.
pub const OVERRIDDEN_ROWS_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum OverrideEffect {
    /// Values of the output were moved to the limit that they passed.
    Bounded {
        output: String,
        /// How many elements.
        count: u64,
        /// What the model had said, by index into the output; at most [`OVERRIDDEN_ROWS_MAX`].
        before: Vec<(u64, f64)>,
    },
    /// It was ignored: its time is over.
    Expired { since: Timestamp },
}

/// Who made a prediction that was not made here, as they told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reported {
    /// Their own id: with the prediction's time, it names it once for each endpoint.
    pub id: String,
    /// What made it, as `spark` or the name of a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When it was reported.
    pub time: Timestamp,
}

/// The revision of what was reported: real ones count from 1.
pub const REPORTED_REVISION: u32 = 0;

/// Everything that is kept of one request that reached an endpoint, whatever came of it.
///
/// Read by [`PredictionRecord::read`], which knows the earlier versions of the stored format: what these did not say is
/// absent here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PredictionRecord {
    /// Version of the stored format in which it was written.
    pub v: u32,
    pub time: Timestamp,
    pub endpoint: EndpointName,
    /// Revision number within the endpoint, and the digest of the revision's canonical body.
    pub revision: u32,
    pub revision_digest: Digest,
    /// The caller's own id (OIP `id`, or `X-Request-Id`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The trace that the caller said it works in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    pub caller: PrincipalName,
    /// Key of the person whom the prediction is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Absent if the request was refused before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<Draw>,
    /// Absent if the request was refused before it was sent to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<ArmTaken>,
    pub outcome: Outcome,
    /// Empty if the request could not be read.
    pub inputs: Vec<LoggedTensor>,
    pub outputs: Vec<LoggedTensor>,
    /// Every step that was begun, in order.
    pub nodes: Vec<NodeRecord>,
    /// Overrides that changed the answer, or would have had they not expired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<OverrideRecord>,
    pub latency_us: u64,
    /// Set if it was made elsewhere: then there is no revision ([`REPORTED_REVISION`], with the digest of the version that
    /// is said to have answered), the arm bears the version's name, and nothing of it was seen here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Reported>,
}
