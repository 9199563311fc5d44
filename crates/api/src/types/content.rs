//! Contents that are asked for, sent and named.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{Digest, Sha256, span::Span};

use crate::act::Query;

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

/// What `PUT …/content/{digest}` brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Uploaded {
    /// Absent: a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<UploadedKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UploadedKind {
    /// One node of a folder's tree.
    Tree,
}

impl Query for Uploaded {
    const EXAMPLE: &'static str = "kind=tree";
}

/// What of it `GET …/content/{digest}` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Bytewise {
    /// As in `0..5000`; all if absent.
    #[serde(default, with = "span", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bytes: Option<Span>,
}

impl Query for Bytewise {
    const EXAMPLE: &'static str = "bytes=0..5000";
}

/// Which rows `GET …/content/{digest}/rows` gives.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Rows {
    /// As in `0..5000`; all if absent.
    #[serde(default, with = "span", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub rows: Option<Span>,
    /// How messages call it, and by its ending what kind of table it is; the digest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Query for Rows {
    const EXAMPLE: &'static str = "rows=0..5000";
}

/// What `GET …/resolve` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reference {
    /// As people type it.
    #[serde(rename = "ref")]
    pub reference: String,
}

impl Query for Reference {
    const EXAMPLE: &'static str = "ref=credit-score@1.0.0";
}

/// Spans as text.
mod span {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use stemma_core::span::Span;

    pub fn serialize<S: Serializer>(span: &Option<Span>, serializer: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => serializer.collect_str(span),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Some).map_err(|_| D::Error::custom("expected a range as in `0..5000`"))
    }
}
