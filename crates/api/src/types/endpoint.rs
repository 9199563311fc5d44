//! Endpoints and their revisions: deploying, rolling out and going back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest, Timestamp,
    endpoint::{
        declaration::{EndpointSpec, LogMode},
        prediction::{LoggedTensor, PredictionId},
        revision::Revision,
    },
    name::{DatasetName, EndpointName, ProjectName},
};

use super::{dataset::DatasetVersion, fact::Fact};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeployedRevision {
    pub revision: Revision,
    pub digest: Digest,
    pub reason: String,
    pub deployed: Fact,
}

impl DeployedRevision {
    /// As in `credit-decision#2`.
    pub fn name(&self) -> String {
        format!("{}#{}", self.revision.endpoint, self.revision.number)
    }
}

impl EndpointDetail {
    /// The revision that answers.
    pub fn live_revision(&self) -> Option<&DeployedRevision> {
        self.revisions.iter().find(|one| self.is_live(one))
    }

    pub fn is_live(&self, one: &DeployedRevision) -> bool {
        Some(one.revision.number) == self.live
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointDetail {
    pub project: ProjectName,
    pub endpoint: EndpointName,
    /// A page of them, newest first, and the live one.
    pub revisions: Vec<DeployedRevision>,
    /// Where the next page of revisions begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Number of the revision that answers; absent if the endpoint was taken down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_down: Option<TakenDown>,
    /// The ways to answer that the live revision has, and how they fare; none of an endpoint as it was.
    pub arms: Vec<ArmStatus>,
    /// What somebody should look at, one line each: overrides whose time is over, versions that were withdrawn.
    pub alarms: Vec<String>,
    pub created: Fact,
    /// Absent of an endpoint as it was: counts are not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<EndpointStats>,
    /// Sealed parts of its prediction log.
    pub sealed_parts: u64,
    pub sealed_rows: u64,
    /// Newest predictions that are not sealed yet, newest first; empty for callers who may not read predictions.
    pub recent: Vec<PredictionSummary>,
}

/// Since the process started.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct EndpointStats {
    pub requests: u64,
    pub errors: u64,
    /// Never too low, and at most 1/32 too high; absent while nothing was measured.
    pub latency_us_p50: Option<u64>,
    pub latency_us_p99: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PredictionSummary {
    pub prediction: PredictionId,
    pub time: Timestamp,
    pub version: String,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    pub outputs: Vec<LoggedTensor>,
    pub latency_us: u64,
}

/// `POST …/endpoints/{endpoint}/revisions`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Deploy {
    pub spec: EndpointSpec,
    /// A version that is tried out on a share of the units.
    #[serde(default)]
    pub canary: Option<Canary>,
    #[serde(default)]
    pub reason: String,
    /// Without it nothing is deployed that would end a running canary.
    #[serde(default)]
    pub end_canary: bool,
}

impl Deploy {
    /// One model for everybody.
    pub fn of_model(model: impl Into<String>) -> Self {
        Self { spec: EndpointSpec::of_one(model.into(), LogMode::default()), ..Self::default() }
    }
}

/// Takes the place of the version of the same model in every step that has one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Canary {
    /// As in `credit-score@1.1.0`.
    pub model: String,
    pub weight_percent: f64,
}

/// `POST …/endpoints/{endpoint}/rollout`: the next revision of a canary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeRollout {
    #[serde(flatten)]
    pub act: RolloutAct,
    #[serde(default)]
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum RolloutAct {
    /// Who is in the canary stays in it when the weight grows.
    Weight { percent: f64 },
    /// The canary answers everybody.
    Promote,
    /// What was there before answers everybody.
    Abort,
}

/// `POST …/endpoints/{endpoint}/rollback`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Rollback {
    /// Absent: the revision that answered before, and was not itself abandoned.
    #[serde(default)]
    pub to: Option<u32>,
    #[serde(default)]
    pub reason: String,
    /// Without it nothing is gone back to that would end a running canary.
    #[serde(default)]
    pub end_canary: bool,
}

/// `POST …/endpoints/{endpoint}/undeploy`: nothing answers any more, until something is deployed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Undeploy {
    /// Callers are told.
    pub reason: String,
    /// Without it an endpoint with a running canary is not taken down.
    #[serde(default)]
    pub end_canary: bool,
}

/// That an endpoint was taken down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TakenDown {
    /// Number of the revision that answered until then.
    pub from: u32,
    pub reason: String,
    /// `model@version` whose quarantine left nothing that may answer; absent if somebody took the endpoint down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<String>,
    pub fact: Fact,
}

/// One way to answer of the live revision, and how it fares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArmStatus {
    /// `single`, `stable` or `canary`.
    pub variant: String,
    /// Share of the units, 0 to 1.
    pub share: f64,
    /// `model@version` of each step.
    pub versions: Vec<String>,
    /// Answered and failed requests since the process started; a share that changes starts no new count.
    pub answered: u64,
    pub failed: u64,
    /// Never too low, and at most 1/32 too high; absent while nothing was measured.
    pub latency_us_p50: Option<u64>,
    pub latency_us_p99: Option<u64>,
}

/// `POST …/endpoints/{endpoint}/dataset`: inputs of answered predictions, each with the label that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatasetFromFeedback {
    /// `ENDPOINT-feedback` unless something else is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetName>,
    /// They were answered no earlier,
    pub since: Timestamp,
    /// and no later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A dataset version that was made from feedback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeedbackDataset {
    pub version: DatasetVersion,
    /// The same rows had this number before; nothing was written.
    pub unchanged: bool,
    pub rows: u64,
    /// The revisions that answered, as in `credit-offer#3`.
    pub answered_by: Vec<String>,
    /// What is not in it, and why; empty if everything in the window that has a label is.
    pub left_out: Vec<String>,
}
