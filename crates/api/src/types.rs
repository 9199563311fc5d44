//! Request and response bodies of `/api/v1`. Pages are drawn from the same structs.

mod care;
mod compare;
mod content_check;
mod delivery;
mod gate;
mod head;
mod history;
mod lineage;
mod policy;
mod reproduction;
mod witness;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use stemma_core::audit::AuditReport;
use stemma_core::{
    Digest, Sha256, Timestamp,
    event::{Event, EvidenceKind},
    external::External,
    id::{ApprovalId, EvidenceId, HomeId, RequestId, RunId, TokenId, WorkspaceId},
    lineage::Edge,
    name::{AliasName, DatasetName, EndpointName, GateName, ModelName, PrincipalName, ProjectName},
    policy::{HeldRole, ModelPolicy, Role, Stage},
    prediction::{LoggedTensor, PredictionId, PredictionRecord},
    record::{Auth, EvaluationReport, GateReport, RunRecord},
    route::Revision,
    signature::Signature,
    version::{Comparison, Improvement, Step, VersionNumber},
};

pub use self::{
    care::*, compare::*, content_check::*, delivery::*, gate::*, head::*, history::*, lineage::*, policy::*,
    reproduction::*, witness::*,
};

/// Who made a governed fact, when, and under which number in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    pub seq: u64,
    pub time: Timestamp,
    pub actor: PrincipalName,
    pub auth: Auth,
}

// --- home ---

/// `GET /api/v1/home`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HomeInfo {
    pub home: HomeId,
    pub stemma_version: String,
    pub projects: Vec<ProjectName>,
    pub you: Identity,
}

/// Who the server takes the caller for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    pub principal: PrincipalName,
    pub auth: Auth,
    /// Roles in all projects, or in the one named.
    pub roles: Vec<Grant>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    pub project: Option<ProjectName>,
    pub role: Role,
}

// --- content ---

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentClaim {
    pub digest: Digest,
    pub size: u64,
    /// Of a folder: an earlier state of it. If the project can read that one, only what is new is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<Digest>,
}

/// `POST …/content/missing`, `…/content/claim`, `…/content/keep` and `…/content/download`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentList {
    pub contents: Vec<ContentClaim>,
}

/// Which of the asked contents this project can't read yet; says nothing about other projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingContent {
    pub missing: Vec<Digest>,
}

/// Answer to an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentStored {
    pub digest: Digest,
    pub sha256: Option<Sha256>,
    pub size: u64,
}

/// Answer to an upload of many contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentsStored {
    pub contents: u64,
    pub bytes: u64,
}

/// Answer to `POST …/content/keep`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentsKept {
    /// Content that names them, and that a fact names.
    pub list: Digest,
    pub contents: u64,
}

/// `GET …/resolve?ref=…`: what a reference that a person typed stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolved {
    /// The reference in full, as in `credit-score@1.1.0`.
    pub name: String,
    /// `content`, `dataset` or `model`.
    pub kind: String,
    pub digest: Digest,
    pub sha256: Option<Sha256>,
    pub size: u64,
    pub file_name: String,
    /// It is a folder: `size` is that of all its files, and its content names them.
    #[serde(default)]
    pub is_folder: bool,
}

// --- datasets ---

/// `POST …/datasets/{dataset}/versions`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddDatasetVersion {
    pub digest: Digest,
    pub path: String,
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub why: Option<String>,
    #[serde(default)]
    pub derived_from: Vec<String>,
    /// The folder that the path is in, so that it is known which run wrote the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatasetVersion {
    pub project: ProjectName,
    pub dataset: DatasetName,
    pub number: u32,
    pub digest: Digest,
    pub sha256: Option<Sha256>,
    pub size: u64,
    pub path: String,
    pub source: Option<String>,
    pub why: Option<String>,
    pub derived_from: Vec<String>,
    pub run: Option<RunId>,
    /// Set if the data is kept elsewhere and was not hashed by us; then the digest is that of the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// The folder that the path is in; absent if nobody said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    pub added: Fact,
}

impl DatasetVersion {
    /// As in `german-credit@3`.
    pub fn name(&self) -> String {
        format!("{}@{}", self.dataset, self.number)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatasetVersionAdded {
    pub version: DatasetVersion,
    /// The same content had this number before; nothing was written.
    pub unchanged: bool,
}

// --- runs ---

/// `POST …/runs`; every digest in the record must be readable in the project already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordRun {
    pub record: RunRecord,
    /// Digest of the record's canonical JSON.
    pub digest: Digest,
}

/// One line of a list of runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSummary {
    pub id: RunId,
    pub command: String,
    pub actor: PrincipalName,
    pub started: Timestamp,
    pub ended: Timestamp,
    pub succeeded: bool,
    pub commit: Option<String>,
    pub dirty: bool,
    pub capture_level: u8,
    pub inputs: u64,
    pub outputs: u64,
    pub params: BTreeMap<String, String>,
    pub claimed_metrics: BTreeMap<String, f64>,
}

/// A run with what is known of its files beyond the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunDetail {
    pub record: RunRecord,
    pub digest: Digest,
    pub hermetic_grade: char,
    /// Why the grade is no better, the weightiest first.
    #[serde(default)]
    pub hermetic_reasons: Vec<String>,
    /// `name@number` of the dataset versions that inputs and outputs are, by digest.
    pub datasets: BTreeMap<Digest, Vec<String>>,
    /// `model@version` of what was registered from this run.
    pub versions: Vec<String>,
    pub environment: Option<serde_json::Value>,
    /// Why the environment's document is not here, if it can't be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_unreadable: Option<String>,
}

// --- models ---

/// `POST …/models/{model}/versions`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegisterVersion {
    pub digest: Digest,
    pub file_name: String,
    /// Absent: the last run that wrote to the path, else the newest that wrote this content.
    #[serde(default)]
    pub run: Option<RunId>,
    /// Where the file lies, as runs in this workspace call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    pub version: ModelVersion,
    /// The same content from the same facts had this number before; nothing was written.
    pub unchanged: bool,
    pub evaluation: Option<EvaluationReport>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelVersion {
    pub project: ProjectName,
    pub model: ModelName,
    pub number: VersionNumber,
    pub integer: u32,
    pub step: Step,
    pub reason: String,
    pub digest: Digest,
    pub sha256: Option<Sha256>,
    pub size: u64,
    pub file_name: String,
    pub format: String,
    pub signature: Signature,
    pub run: Option<RunId>,
    pub trainer: Option<PrincipalName>,
    pub reference: Option<VersionNumber>,
    /// How it compared; absent where nothing was measured, and in versions from before this was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Target column of the evaluation that was declared when it was registered.
    pub target: Option<String>,
    pub stage: Stage,
    pub aliases: Vec<AliasName>,
    pub registered: Fact,
}

impl ModelVersion {
    /// As in `credit-score@1.1.0`.
    pub fn name(&self) -> String {
        format!("{}@{}", self.model, self.number)
    }

    /// How much better it is than its reference; of older versions as their reason tells it.
    pub fn improvement(&self) -> Option<Improvement> {
        match &self.comparison {
            Some(comparison) => Some(comparison.improvement()),
            None => Improvement::of_reason(&self.reason),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelSummary {
    pub model: ModelName,
    pub versions: u64,
    pub newest: Option<VersionNumber>,
    pub aliases: BTreeMap<AliasName, VersionNumber>,
    pub production: Vec<VersionNumber>,
    pub created: Fact,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelDetail {
    pub summary: ModelSummary,
    /// Newest first.
    pub versions: Vec<ModelVersion>,
    pub policy: ModelPolicy,
    /// Primary metric of each evaluated version, by number.
    pub primary: BTreeMap<String, f64>,
}

/// The result of one check, bound to the version's digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    pub evidence: EvidenceId,
    pub kind: EvidenceKind,
    pub gate: Option<GateName>,
    pub subject: Digest,
    /// Declaration under which it was made; a changed one makes the evidence stale.
    pub spec_digest: Digest,
    pub passed: bool,
    pub summary: String,
    pub report: Digest,
    pub data: Option<String>,
    pub leaky: bool,
    pub recorded: Fact,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    pub approval: ApprovalId,
    pub stage: Stage,
    pub subject: Digest,
    pub evidence: Vec<EvidenceId>,
    pub reason: String,
    pub approved: Fact,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Promotion {
    pub from: Stage,
    pub to: Stage,
    pub evidence: Vec<EvidenceId>,
    pub approvals: Vec<ApprovalId>,
    pub reason: String,
    pub promoted: Fact,
}

/// `GET …/models/{model}/versions/{version}`: a version and everything that speaks for or against it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionDetail {
    pub version: ModelVersion,
    pub run: Option<RunDetail>,
    /// The newest evaluation.
    pub evaluation: Option<EvaluationReport>,
    pub evidence: Vec<Evidence>,
    pub approvals: Vec<Approval>,
    pub promotions: Vec<Promotion>,
    /// `endpoint#revision` that serve or served it.
    pub revisions: Vec<String>,
    /// What promotion to production still needs; empty if nothing.
    pub missing_for_production: Vec<String>,
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

/// `POST …/evaluate` answers with this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evaluated {
    pub version: String,
    pub evidence: EvidenceId,
    pub report: EvaluationReport,
}

/// `POST …/approve`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approve {
    #[serde(default = "production")]
    pub stage: Stage,
    pub reason: String,
}

/// `POST …/promote`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Promote {
    pub stage: Stage,
    #[serde(default)]
    pub reason: String,
}

const fn production() -> Stage {
    Stage::Production
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Promoted {
    pub version: ModelVersion,
    pub promotion: Promotion,
    pub alias: Option<AliasName>,
}

// --- endpoints ---

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
    /// The newest hundred, newest first, and the live one.
    pub revisions: Vec<DeployedRevision>,
    /// Number of the revision that answers; absent if the endpoint was taken down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_down: Option<TakenDown>,
    /// The ways to answer that the live revision has.
    pub arms: Vec<ArmStatus>,
    /// What somebody should look at, one line each: overrides whose time is over, versions that were withdrawn.
    pub alarms: Vec<String>,
    pub created: Fact,
    pub stats: EndpointStats,
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
    pub outputs: Vec<LoggedTensor>,
    pub latency_us: u64,
}

// --- predictions ---

/// `POST /api/v1/predictions/{prediction}/feedback`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SendFeedback {
    #[serde(default)]
    pub label: Option<String>,
    #[serde(default)]
    pub reward: Option<f64>,
    #[serde(default)]
    pub comment: Option<String>,
    /// Why an earlier label or reward was wrong; without it another one than the first is refused.
    #[serde(default)]
    pub correction: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Feedback {
    pub label: Option<String>,
    pub reward: Option<f64>,
    pub comment: Option<String>,
    /// Why the label or reward before it was wrong: this one holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<String>,
    pub time: Timestamp,
    pub from: PrincipalName,
}

/// `GET /api/v1/predictions/{prediction}`: the whole answer to "why".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    pub prediction: PredictionId,
    pub record: PredictionRecord,
    /// `open segment` or the digest of the sealed Parquet file.
    pub stored_in: String,
    pub revision: DeployedRevision,
    /// One per model that was consulted.
    pub models: Vec<VersionDetail>,
    pub feedback: Vec<Feedback>,
    pub tree: FamilyTree,
    /// Why the tree is not known to be complete; empty if it is.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Size and root of the ledger when this was asked.
    pub ledger_size: u64,
    pub ledger_root: String,
}

/// A picture's worth of lineage: nodes in layers, edges the way data flows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FamilyTree {
    pub nodes: Vec<TreeNode>,
    pub edges: Vec<Edge>,
    /// It was shown to be complete; false if there is any reason to doubt it.
    pub complete: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeNode {
    pub node: stemma_core::lineage::Node,
    /// Short, for the picture.
    pub label: String,
    /// One more line, for the picture; may be empty.
    pub detail: String,
    /// Page of the thing, if it has one.
    pub href: Option<String>,
}

/// `POST /api/v1/predictions/{prediction}/replay` answers with this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Replay {
    pub prediction: PredictionId,
    pub version: String,
    pub digest: Digest,
    /// Every output has the same bits.
    pub same_bits: bool,
    pub outputs: Vec<OutputComparison>,
    /// The steps, if there were several.
    pub nodes: Vec<NodeComparison>,
}

/// A step that was run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeComparison {
    pub node: String,
    /// As in `credit-score@1.1.0`.
    pub version: String,
    pub digest: Digest,
    pub same_bits: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputComparison {
    pub name: String,
    pub same_bits: bool,
    pub recorded: LoggedTensor,
    pub replayed: LoggedTensor,
}

// --- lineage ---

/// Direction of a walk through the family tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Up,
    Down,
}

// --- rights ---

/// `POST /api/v1/principals`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddPrincipal {
    pub principal: PrincipalName,
    pub role: Role,
    #[serde(default)]
    pub project: Option<ProjectName>,
    #[serde(default)]
    pub label: String,
    /// Days until the token expires; absent: never.
    #[serde(default)]
    pub expires_days: Option<u32>,
}

/// The only time the token is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssuedToken {
    pub principal: PrincipalName,
    pub role: Role,
    pub token_id: TokenId,
    pub token: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Principal {
    pub principal: PrincipalName,
    pub grants: Vec<Grant>,
    pub added: Fact,
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    pub token: TokenId,
    pub principal: PrincipalName,
    pub label: String,
    pub expires: Option<Timestamp>,
    /// It has run out: nobody gets in with it any more.
    pub expired: bool,
    pub issued: Fact,
}

/// What was withdrawn; it holds from now on, also in what is asked meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revoked {
    pub roles: Vec<HeldRole>,
    pub tokens: Vec<TokenId>,
}

// --- audit ---

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEvent {
    pub seq: u64,
    pub time: Timestamp,
    pub actor: PrincipalName,
    pub auth: Auth,
    pub kind: String,
    pub subject: String,
    pub request: RequestId,
    pub event: Event,
}

/// `GET /api/v1/audit/checkpoint`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// A C2SP signed note.
    pub note: String,
    /// The verifier key of the note.
    pub key: String,
}

/// A list with a cursor for the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

const fn none() -> Option<String> {
    None
}
