//! What a route or command does, as rights see it.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that a route or command may need the right for. Deny by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Liveness, version, static assets: no right needed.
    Public,
    Read,
    /// Runs, content, dataset versions, evaluations and gate results.
    Track,
    /// Versions of models that there are.
    Register,
    /// New models, endpoints and, of the whole home, projects.
    Create,
    Approve,
    Promote,
    /// Gates, promotion rules and evaluation declarations.
    SetPolicy,
    Deploy,
    /// Ask an endpoint.
    Invoke,
    Feedback,
    /// Tell predictions that were made elsewhere.
    Report,
    /// See the inputs and outputs of predictions: they are personal data.
    ReadPredictions,
    /// Checkpoints, proofs and verification of the ledger.
    Audit,
    /// Users, roles and tokens.
    ManageRights,
}

impl Action {
    pub const ALL: [Action; 15] = [
        Action::Public,
        Action::Read,
        Action::Track,
        Action::Register,
        Action::Create,
        Action::Approve,
        Action::Promote,
        Action::SetPolicy,
        Action::Deploy,
        Action::Invoke,
        Action::Feedback,
        Action::Report,
        Action::ReadPredictions,
        Action::Audit,
        Action::ManageRights,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Read => "read",
            Self::Track => "track",
            Self::Register => "register",
            Self::Create => "create",
            Self::Approve => "approve",
            Self::Promote => "promote",
            Self::SetPolicy => "set_policy",
            Self::Deploy => "deploy",
            Self::Invoke => "invoke",
            Self::Feedback => "feedback",
            Self::Report => "report",
            Self::ReadPredictions => "read_predictions",
            Self::Audit => "audit",
            Self::ManageRights => "manage_rights",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }

    /// Whether it changes what a project holds. Asking endpoints and saying what came of it don't, taking rights away and
    /// removing content for good are never too late.
    pub const fn changes_project(self) -> bool {
        match self {
            Self::Track
            | Self::Register
            | Self::Create
            | Self::Approve
            | Self::Promote
            | Self::SetPolicy
            | Self::Deploy
            | Self::Report => true,
            Self::Public
            | Self::Read
            | Self::Invoke
            | Self::Feedback
            | Self::ReadPredictions
            | Self::Audit
            | Self::ManageRights => false,
        }
    }

    /// What somebody with the right may do, as in "may …".
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Public => "see that the server lives",
            Self::Read => "read models, runs and content",
            Self::Track => "record runs and content",
            Self::Register => "register versions",
            Self::Create => "make new models and endpoints",
            Self::Approve => "approve versions",
            Self::Promote => "promote versions",
            Self::SetPolicy => "set a model's rules",
            Self::Deploy => "deploy and roll back",
            Self::Invoke => "ask endpoints",
            Self::Feedback => "send feedback",
            Self::Report => "report predictions made elsewhere",
            Self::ReadPredictions => "see inputs and outputs of predictions",
            Self::Audit => "read the ledger",
            Self::ManageRights => "manage roles and tokens",
        }
    }
}

/// There is no such action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no action")]
pub struct NotAnAction(String);

impl FromStr for Action {
    type Err = NotAnAction;

    fn from_str(text: &str) -> Result<Self, NotAnAction> {
        Self::parse(text).ok_or_else(|| NotAnAction(text.to_owned()))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
