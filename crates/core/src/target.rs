//! What answers in the end: one version of one model, by its bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Digest, name::ModelName, version::VersionNumber};

/// A model version that takes requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    pub model: ModelName,
    pub version: VersionNumber,
    /// Digest of the version's content: the bytes that are loaded.
    pub digest: Digest,
}
