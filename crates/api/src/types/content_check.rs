//! Whether stored content is what it was, and what is hit where it isn't.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{Digest, Timestamp, name::ProjectName};

/// `POST …/content/versions`: which versions of this project need the asked contents. Contents that none needs are left
/// out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentVersions {
    pub contents: Vec<VersionsOfContent>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionsOfContent {
    pub digest: Digest,
    /// As in `applications@3` and `credit-score@1.1.0`; also versions that are folders with it in them.
    pub versions: Vec<String>,
}

/// `GET /api/v1/audit/content`: what the server found when it read stored content back, since it was started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ContentHealth {
    /// Stored bytes that are read back in an hour; 0 if none are.
    pub bytes_per_hour: u64,
    pub last_checked: Option<Timestamp>,
    /// Parts of contents that were checked, some of them more than once.
    pub records: u64,
    pub bytes: u64,
    /// What is damaged and was not put back since, oldest first; at most 100 of them.
    pub damaged: Vec<FoundDamage>,
    /// More was found than is listed.
    pub is_cut: bool,
}

/// Something in the store that is not as it was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundDamage {
    pub found: Timestamp,
    /// The content that can't be read, if one needs what is damaged.
    pub digest: Option<Digest>,
    /// The file that holds what is damaged, and where in it.
    pub pack: Option<String>,
    pub offset: Option<u64>,
    pub what: String,
    pub versions: Vec<VersionInProject>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionInProject {
    pub project: ProjectName,
    /// As in `applications@3`.
    pub version: String,
}
