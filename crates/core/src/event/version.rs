//! What is registered, what it is called, and what evidence is recorded of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Digest, Sha256,
    id::{EvidenceId, RunId},
    lineage::Certainty,
    look::Look,
    name::{GateName, ModelName, PrincipalName, ProjectName},
    signature::{Contract, Signature},
    version::{Claims, Comparison, GivenName, Step, VersionNumber},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionRegistered {
    pub project: ProjectName,
    pub model: ModelName,
    pub number: VersionNumber,
    /// MLflow's number: counts from 1 within the model.
    pub integer: u32,
    pub step: Step,
    pub reason: String,
    /// Content: blob of a single-file model, tree of a directory.
    pub digest: Digest,
    pub sha256: Option<Sha256>,
    pub size: u64,
    pub file_name: String,
    /// For example `onnx`; see [`ModelFormat`](crate::look::ModelFormat).
    pub format: String,
    /// What its content is and does; absent before that was looked at, when only ONNX was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    /// Empty if the contract is unknown.
    pub signature: Signature,
    /// Where the signature is from; absent before there was more than one place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// What whoever registered it said of how it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Claims>,
    pub run: Option<RunId>,
    /// How surely the run wrote this file and not only the same bytes; absent before that was told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_certainty: Option<Certainty>,
    /// Who executed the producing run; may not approve.
    pub trainer: Option<PrincipalName>,
    /// The version that it was compared with.
    pub reference: Option<VersionNumber>,
    /// How it compared, where both were measured. Versions from before this was stored tell it in their reason alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// The evaluation on which the number rests, recorded in the same commit.
    pub evaluation: Option<EvidenceId>,
    /// Target column of the declared evaluation.
    pub target: Option<String>,
    /// Digest of (content, run input key), and of what was declared if anything was: the same facts give the same version
    /// back.
    pub facts: Digest,
}

/// A name that somebody gave a version, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionNamed {
    pub project: ProjectName,
    pub model: ModelName,
    pub version: VersionNumber,
    /// The digest of the version's content.
    pub subject: Digest,
    pub name: GivenName,
}

/// What kind of check a piece of evidence is the result of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    Evaluation,
    Gate,
    /// Trained again from what its run recorded.
    Reproduction,
    /// Asked in a sandbox.
    Validation,
    /// Asked what an earlier version had answered.
    Behaviour,
}

impl EvidenceKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evaluation => "evaluation",
            Self::Gate => "gate",
            Self::Reproduction => "reproduction",
            Self::Validation => "validation",
            Self::Behaviour => "behaviour",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Evaluation, Self::Gate, Self::Reproduction, Self::Validation, Self::Behaviour]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceRecorded {
    pub project: ProjectName,
    pub evidence: EvidenceId,
    pub kind: EvidenceKind,
    pub model: ModelName,
    pub version: VersionNumber,
    /// The digest of the version's content; evidence never covers other bytes.
    pub subject: Digest,
    pub gate: Option<GateName>,
    /// Digest of the gate's or evaluation's declaration.
    pub spec_digest: Digest,
    pub passed: bool,
    /// One line for people.
    pub summary: String,
    /// Content: the whole report as canonical JSON.
    pub report: Digest,
    /// `name@number` of the dataset that was used.
    pub data: Option<String>,
    pub leaky: bool,
    /// Every metric of an evaluation on all rows, by its name, as the report has it; absent of other kinds, and of
    /// evaluations from before the ledger was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<BTreeMap<String, f64>>,
}
