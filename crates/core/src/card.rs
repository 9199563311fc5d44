//! A model card, as far as it is judged: what a version is, what it was made from, and what evidence says of it. What
//! follows from a judgement (approvals, stages, endpoints) is no part of it, so that an approval does not change what it
//! approves.

pub mod differences;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Digest,
    event::EvidenceKind,
    id::{EvidenceId, RunId},
    meaning::Aspect,
    name::{GateName, PrincipalName},
    signature::Signature,
};

/// The version of the stored form.
pub const CARD_VERSION: u32 = 1;

/// What a version's card says at a moment. A stored form: its canonical JSON is content, and approvals name its digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CardBody {
    pub v: u32,
    /// As in `credit-score@1.1.0`.
    pub version: String,
    pub content: CardContent,
    /// What is said of the version, or else of its model.
    pub said: Vec<CardStatement>,
    /// The run that wrote it; absent if none is known.
    pub made: Option<CardRun>,
    /// The newest evaluation; absent if there is none.
    pub evaluation: Option<CardEvaluation>,
    /// Each declared gate.
    pub gates: Vec<CardGate>,
    /// All other evidence: validations, trainings from records.
    pub evidence: Vec<CardEvidence>,
    /// What could not be looked at, one line each.
    pub unseen: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CardContent {
    pub digest: Digest,
    pub file_name: String,
    pub format: String,
    pub size: u64,
    /// Empty if the contract is unknown.
    pub signature: Signature,
    /// Why it has its number.
    pub reason: String,
    /// The event that registered it, and who did.
    pub event: u64,
    pub registered_by: PrincipalName,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CardStatement {
    pub aspect: Aspect,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    pub text: String,
    /// It is said of the model, and of this version only as one of its.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_model: bool,
    pub event: u64,
    pub by: PrincipalName,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CardRun {
    pub run: RunId,
    pub command: String,
    pub by: PrincipalName,
    /// Commit and changes, as runs name their code.
    pub code: String,
    pub capture_level: u8,
    /// See [`Hermetic`](crate::hermetic::Hermetic).
    pub hermetic_grade: char,
    pub hermetic_reasons: Vec<String>,
    pub inputs: Vec<CardInput>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CardInput {
    pub path: String,
    pub digest: Digest,
    /// `name@number` of the dataset versions that it is.
    pub datasets: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CardEvaluation {
    pub evidence: EvidenceId,
    /// Content: the whole report.
    pub report: Digest,
    pub event: u64,
    pub data: String,
    pub rows: u64,
    pub target: String,
    pub primary: String,
    /// Rows that the run had read, and that were left out.
    pub leaky_rows: u64,
    /// A command answered, and not the model itself.
    pub by_command: bool,
    /// By name.
    pub metrics: Vec<CardNumber>,
    pub slices: Vec<CardSlice>,
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CardNumber {
    pub name: String,
    pub value: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CardSlice {
    pub column: String,
    pub value: String,
    pub rows: u64,
    /// The primary metric; absent where it is not defined on these rows.
    pub primary: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CardVerdict {
    Passed,
    Failed,
    /// It ran under another declaration than today's, and does not count.
    Stale,
    NotRun,
}

impl CardVerdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Stale => "does not count",
            Self::NotRun => "has not run",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CardGate {
    pub gate: GateName,
    pub verdict: CardVerdict,
    /// What the verdict rests on, if it has run.
    pub evidence: Option<CardEvidence>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CardEvidence {
    pub evidence: EvidenceId,
    pub kind: EvidenceKind,
    pub passed: bool,
    pub summary: String,
    /// Content: the whole report.
    pub report: Digest,
    pub event: u64,
}
