//! Versions of models, and what speaks for or against them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest, Sha256,
    behaviour::Behaviour,
    event::EvidenceKind,
    id::{ApprovalId, EvidenceId, RunId, WorkspaceId},
    look::Look,
    name::{AliasName, GateName, ModelName, PrincipalName, ProjectName},
    pattern::PathPattern,
    policy::Stage,
    record::EvaluationReport,
    signature::{Contract, Signature},
    version::{Claims, Comparison, Improvement, Naming, Step, VersionNumber},
};

use super::{
    approval::Approval, fact::Fact, names::GivenNames, quarantine::InQuarantine, request::PromotionRequest,
    run::RunDetail,
};

/// `POST …/models/{model}/versions`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegisterVersion {
    /// Content of a file, or the tree of a folder.
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
    /// The contract, if the content states none: instead of the one that the model's rules declare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Parameters and metrics of a model that was made elsewhere. They are kept as declared and decide nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Claims>,
    /// What a command answered, where the home asked it a question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<CommandAnswers>,
    /// What the version is called beside its number.
    #[serde(default, skip_serializing_if = "GivenNames::is_empty")]
    pub names: GivenNames,
    /// Nobody asked for it: the pattern of `[auto_register]` in `stemma.toml` by which the run's output was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_by: Option<PathPattern>,
}

impl RegisterVersion {
    /// Content of which nothing more is said.
    pub fn new(digest: Digest, file_name: impl Into<String>) -> Self {
        let file_name = file_name.into();
        Self {
            digest,
            file_name,
            run: None,
            path: None,
            workspace: None,
            signature: None,
            claims: None,
            answers: None,
            names: GivenNames::default(),
            chosen_by: None,
        }
    }
}

/// `POST …/models/{model}/question`: what has to be answered before content can be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskQuestion {
    /// The content, whether it is a version yet or not.
    pub digest: Digest,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// Absent if the home needs no command: it asks the content itself, or no evaluation is declared.
    pub question: Option<Question>,
}

/// Rows that a command has to answer, since the home can't ask the model itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// As in `digits-test@1`.
    pub data: String,
    /// Program and arguments, as declared.
    pub command: Vec<String>,
    /// Content: the rows without what is true of them, as CSV.
    pub digest: Digest,
    pub size: u64,
    pub rows: u64,
    /// Earlier versions, the newest first, that nobody has an evaluation of on this data: what is judged can't be shown
    /// to be better than these.
    pub lacking: Vec<ModelVersion>,
}

/// What a command answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandAnswers {
    /// The recorded run of the command.
    pub run: RunId,
    /// Content: what it wrote, CSV or Parquet.
    pub answers: Digest,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    pub version: ModelVersion,
    /// The same content from the same facts had this number before; nothing was written.
    pub unchanged: bool,
    pub evaluation: Option<EvaluationReport>,
    /// The earlier version that it answers as, as far as that was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaves_as: Option<Behaviour>,
    /// Why it is not known whether it answers as an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour_unknown: Option<String>,
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
    /// `onnx`, `pickle`, `mlmodel` …; see `docs/models.md`.
    pub format: String,
    /// What its content is and what loading it does; absent in versions from before that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    /// Empty if the contract is unknown.
    pub signature: Signature,
    /// Where the signature is from.
    #[serde(default)]
    pub contract: Contract,
    /// What whoever registered it said of how it was made; nobody saw that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Claims>,
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
    /// What it is called beside its number, and always will be.
    #[serde(default)]
    pub names: BTreeMap<Naming, String>,
    /// Why it is kept back, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<InQuarantine>,
    pub registered: Fact,
}

impl ModelVersion {
    /// As in `credit-score@1.1.0`.
    pub fn name(&self) -> String {
        format!("{}@{}", self.model, self.number)
    }

    /// What it is called by a scheme; by its number if it has no such name.
    pub fn called(&self, naming: Option<Naming>) -> String {
        let name = naming.and_then(|naming| self.names.get(&naming)).cloned();
        name.unwrap_or_else(|| self.number.to_string())
    }

    /// The contract, if it is known.
    pub fn known_signature(&self) -> Option<&Signature> {
        (self.contract != Contract::Unknown).then_some(&self.signature)
    }

    /// How much better it is than its reference; of older versions as their reason tells it.
    pub fn improvement(&self) -> Option<Improvement> {
        match &self.comparison {
            Some(comparison) => Some(comparison.improvement()),
            None => Improvement::of_reason(&self.reason),
        }
    }
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
pub struct Promotion {
    pub from: Stage,
    pub to: Stage,
    pub evidence: Vec<EvidenceId>,
    pub approvals: Vec<ApprovalId>,
    /// What could not be found out of who made it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// The version that took its place, or whose place it took again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchanged_with: Option<VersionNumber>,
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
    /// The earlier version that it answers as, as far as that was compared when it was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaves_as: Option<Behaviour>,
    pub evidence: Vec<Evidence>,
    pub approvals: Vec<Approval>,
    pub promotions: Vec<Promotion>,
    /// `endpoint#revision` that serve or served it.
    pub revisions: Vec<String>,
    /// Requests about it that wait, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<PromotionRequest>,
    /// What promotion to production still needs; empty if nothing.
    pub missing_for_production: Vec<String>,
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
    /// The digest of the card that is approved: if the card is another one by then, nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Digest>,
}

/// `POST …/promote`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Promote {
    pub stage: Stage,
    #[serde(default)]
    pub reason: String,
    /// Whatever else stands in the stage is archived in the same commit.
    #[serde(default)]
    pub archive_others: bool,
}

const fn production() -> Stage {
    Stage::Production
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Promoted {
    pub version: ModelVersion,
    pub promotion: Promotion,
    pub alias: Option<AliasName>,
    /// The versions that left the stage by the same commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<VersionNumber>,
    /// The requests that it closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<u32>,
}
