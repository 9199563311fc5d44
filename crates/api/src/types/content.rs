//! Contents that are asked for, sent and named.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{Digest, Sha256};

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
