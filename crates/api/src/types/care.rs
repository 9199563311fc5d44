//! Looking after content: what it takes up, what nobody needs any more, and what must go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{Digest, Timestamp, name::PrincipalName};

/// `POST …/content/collect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CollectGarbage {
    /// Only say what would be done.
    pub dry_run: bool,
    /// How long content stays after it was first found to be needed by nobody.
    pub grace_seconds: u64,
    /// Contents that the caller needs beside those that the home's facts name and its own folder needs. What they name
    /// in turn is in the list too, but for what lies in folders.
    #[serde(default)]
    pub keep: Vec<Digest>,
}

/// What a collection did, or would do; all amounts in bytes on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GarbageCollected {
    pub dry_run: bool,
    pub needed: u64,
    /// What nobody needs, before anything was removed.
    pub garbage: u64,
    pub freed: u64,
    /// Found to be garbage for the first time: its grace begins now.
    pub marked: u64,
    /// Its grace is not over, or somebody who is adding content may rely on it.
    pub waiting: u64,
    /// Lies among content that is needed, is being written to, or is damaged.
    pub kept: u64,
    /// Processes that are adding content; what is marked from now on waits for them.
    pub writers: u64,
    /// The largest contents that nobody needs.
    pub contents: Vec<GarbageContent>,
    pub contents_total: u64,
    /// What could not be read where it lies beside garbage; it was left as it is.
    pub damaged: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GarbageContent {
    pub digest: Digest,
    pub is_tree: bool,
    /// Plain bytes.
    pub size: u64,
    /// Bytes on disk that no other content needs.
    pub own: u64,
}

/// `GET …/content/usage` answers with this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentUsage {
    /// Versions of datasets and models, those first that would free most.
    pub versions: Vec<VersionUsage>,
    /// Plain bytes of everything in the home.
    pub size: u64,
    /// Bytes on disk of everything in the home.
    pub stored: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionUsage {
    /// `name@number`; several if they are the same content.
    pub names: Vec<String>,
    pub digest: Digest,
    pub size: u64,
    /// Bytes on disk of all that reading it takes.
    pub stored: u64,
    /// The part of them that no other version needs.
    pub own: u64,
    /// Nothing of it is here.
    pub absent: bool,
}

/// `POST …/content/purge`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Purge {
    /// As people name content: a digest, `dataset@n`, `model@version`.
    pub content: String,
    pub reason: String,
    /// Even if a live revision serves it.
    #[serde(default)]
    pub force: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Purged {
    pub digest: Digest,
    pub reason: String,
    pub by: PrincipalName,
    pub at: Timestamp,
    /// Versions of datasets and models that name it.
    pub named_by: Vec<String>,
    /// Bytes on disk.
    pub freed: u64,
    /// Bytes of it that other contents have too, and that stay for them.
    pub shared: u64,
    /// False if somebody was writing where it lies, or something there is damaged: purge it again.
    pub complete: bool,
}
