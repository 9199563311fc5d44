//! Model cards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest,
    card::CardBody,
    id::ApprovalId,
    name::{AliasName, ModelName, ProjectName},
    policy::Stage,
    version::VersionNumber,
};

use super::fact::Fact;

/// `GET …/versions/{version}/card`: what is known of a version, on one sheet. Every number names its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelCard {
    pub project: ProjectName,
    pub model: ModelName,
    pub number: VersionNumber,
    /// Of `body`: approvals name it.
    pub digest: Digest,
    /// What an approval is about.
    pub body: CardBody,
    pub stage: Stage,
    pub aliases: Vec<AliasName>,
    pub approvals: Vec<CardApproval>,
    /// Revisions that serve or served it.
    pub answers: Vec<CardRevision>,
    /// Versions of the same model that were made alike, the most similar first.
    pub similar: Vec<SimilarVersion>,
    /// Why `similar` may be less than there is, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub similar_left_out: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CardApproval {
    pub approval: ApprovalId,
    pub stage: Stage,
    pub reason: String,
    pub approved: Fact,
    pub card: ApprovedCard,
}

/// How the card that was approved relates to the card now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum ApprovedCard {
    /// The approval is from before there were cards, or of other content.
    None,
    Unchanged {
        digest: Digest,
    },
    /// Changed since the approval, in these parts.
    Changed {
        digest: Digest,
        parts: Vec<String>,
    },
    /// Changed since the approval; in what can't be told.
    Unreadable {
        digest: Digest,
        why: String,
    },
}

impl ApprovedCard {
    /// For people.
    pub fn told(&self) -> String {
        match self {
            Self::None => "names no card".to_owned(),
            Self::Unchanged { digest } => format!("card {}{}", Digest::PREFIX, digest.short()),
            Self::Changed { digest, parts } => {
                let (start, short) = (Digest::PREFIX, digest.short());
                format!("card {start}{short}, changed since the approval: {}", parts.join(", "))
            }
            Self::Unreadable { digest, why } => {
                let (start, short) = (Digest::PREFIX, digest.short());
                format!("card {start}{short}, changed since the approval; how can't be told: {why}")
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CardRevision {
    pub endpoint: String,
    pub number: u32,
    pub is_live: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SimilarVersion {
    pub version: String,
    /// Facts that both have, of all that either has.
    pub share: f64,
    pub shared: u64,
    pub all: u64,
    /// Some of the facts in which it differs, as `kind:name=value`.
    pub only_there: Vec<String>,
}
