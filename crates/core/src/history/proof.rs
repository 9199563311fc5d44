//! Documents by which somebody without us verifies what is in a history: with the document and the home's public key
//! alone. Version 1 of each; `docs/formats.md` tells them.

use data_encoding::BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    frontier::Frontier,
    merkle::{Hash, is_beginning, is_included, leaf_hash},
    note::{KeySuccession, NoteError, SignedHead, VerifierKey},
};

/// Format of all of these documents.
pub const PROOF_VERSION: u32 = 1;

/// Why a document proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("its version is {0}, this program knows version {PROOF_VERSION}")]
    Version(u32),
    #[error("its signed head: {0}")]
    Head(#[from] NoteError),
    #[error("`{0}` is no hash in base64")]
    NotAHash(String),
    #[error("event {0} has no path to the root")]
    NoPath(u64),
    #[error("event {0} is not in the history that was signed")]
    NotIncluded(u64),
    #[error("the leaf of event {seq} is {what}")]
    Leaf { seq: u64, what: String },
    #[error("the history of {first} events is not a beginning of that of {second}")]
    NotABeginning { first: u64, second: u64 },
    #[error("the events have another root than the one that was signed")]
    OtherRoot,
}

/// Which document it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProofDocument {
    StemmaInclusionProof,
    StemmaConsistencyProof,
    StemmaExport,
}

/// A signed head, and how the keys that sign followed each other: whoever trusts an earlier key comes to the one that
/// signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProvedHead {
    /// A C2SP signed note over a checkpoint.
    pub note: String,
    /// The verifier key of the note.
    pub key: String,
    #[serde(default)]
    pub successions: Vec<KeySuccession>,
}

/// An event as it is hashed, and what it commits to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProvedEvent {
    /// Counts from 1.
    pub seq: u64,
    /// Canonical JSON; exactly these bytes are hashed.
    pub leaf: String,
    /// Base64 of what stands before the body where it is hashed for the leaf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// JSON; exactly these bytes are hashed. Absent if it was forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Base64 of each hash from the leaf's sibling up; absent in an export of all events, which make the root themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Vec<String>>,
}

/// That an event is in a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InclusionProof {
    pub v: u32,
    pub document: ProofDocument,
    pub event: ProvedEvent,
    pub head: ProvedHead,
}

/// How many events a history has, and their root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProvedTree {
    pub size: u64,
    /// Base64.
    pub root: String,
}

/// That a history is a beginning of a longer one, which is one of the history that was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BeginningProof {
    pub v: u32,
    pub document: ProofDocument,
    pub first: ProvedTree,
    pub second: ProvedTree,
    /// Base64 of each hash, from the first to the second.
    pub path: Vec<String>,
    /// The same from the second to the signed head.
    pub path_to_head: Vec<String>,
    pub head: ProvedHead,
}

/// First line of an export; a line for each event follows, then [`ExportEnd`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExportHeader {
    pub v: u32,
    pub document: ProofDocument,
    /// All events up to the head are there. Else each has a path, and nothing proves that none was left out.
    pub whole: bool,
    pub head: ProvedHead,
}

/// Last line of an export: without it, it was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExportEnd {
    /// Lines between the first and this one.
    pub end: u64,
}

/// Checks an export line by line.
pub struct ExportCheck {
    head: SignedHead,
    is_whole: bool,
    tree: Frontier,
}

/// What a leaf says that must fit with what stands beside it.
#[derive(Deserialize)]
struct Named {
    seq: u64,
    kind: String,
    commitment: String,
}

#[derive(Deserialize)]
struct Tagged {
    r#type: String,
}

impl ProvedHead {
    /// The head, if the key that it names has signed it.
    pub fn open(&self) -> Result<SignedHead, ProofError> {
        let key: VerifierKey = self.key.parse()?;
        Ok(SignedHead::open(&self.note, &key)?)
    }
}

impl ProvedEvent {
    /// The hash of its leaf, if all that stands beside it is what the leaf says.
    pub fn hash(&self) -> Result<Hash, ProofError> {
        let seq = self.seq;
        let wrong = |what: &str| ProofError::Leaf { seq, what: what.to_owned() };
        let named: Named = serde_json::from_str(&self.leaf).map_err(|error| wrong(&error.to_string()))?;
        if named.seq != seq {
            return Err(wrong("of another event"));
        }
        match (&self.salt, &self.body) {
            (None, None) => {}
            (Some(salt), Some(body)) => {
                let salt = BASE64.decode(salt.as_bytes()).map_err(|_| wrong("hidden by a salt that is no base64"))?;
                let hash = Sha256::new().chain_update(salt).chain_update(body.as_bytes()).finalize();
                let tagged: Tagged = serde_json::from_str(body).map_err(|error| wrong(&error.to_string()))?;
                if BASE64.encode(&hash) != named.commitment || tagged.r#type != named.kind {
                    return Err(wrong("of another body"));
                }
            }
            _ => return Err(wrong("with a body without its salt, or a salt without its body")),
        }
        Ok(leaf_hash(self.leaf.as_bytes()))
    }

    fn check_path(&self, head: &SignedHead) -> Result<(), ProofError> {
        let hash = self.hash()?;
        let path = read_hashes(self.path.as_deref().ok_or(ProofError::NoPath(self.seq))?)?;
        let leaf = self.seq.checked_sub(1).ok_or(ProofError::NotIncluded(self.seq))?;
        match is_included(&hash, leaf, head.size(), head.root(), &path) {
            true => Ok(()),
            false => Err(ProofError::NotIncluded(self.seq)),
        }
    }
}

impl InclusionProof {
    pub const fn new(event: ProvedEvent, head: ProvedHead) -> Self {
        Self { v: PROOF_VERSION, document: ProofDocument::StemmaInclusionProof, event, head }
    }

    /// Checks all of it by the key that it names; returns that key, which whoever relies on it must know.
    pub fn check(&self) -> Result<SignedHead, ProofError> {
        check_version(self.v)?;
        let head = self.head.open()?;
        self.event.check_path(&head)?;
        Ok(head)
    }
}

impl ProvedTree {
    pub fn new(size: u64, root: &Hash) -> Self {
        Self { size, root: BASE64.encode(root) }
    }
}

impl BeginningProof {
    pub fn new(first: ProvedTree, second: ProvedTree, paths: [&[Hash]; 2], head: ProvedHead) -> Self {
        let [path, path_to_head] = paths.map(write_hashes);
        let document = ProofDocument::StemmaConsistencyProof;
        Self { v: PROOF_VERSION, document, first, second, path, path_to_head, head }
    }

    pub fn check(&self) -> Result<SignedHead, ProofError> {
        check_version(self.v)?;
        let head = self.head.open()?;
        let (first, second) = (read_hash(&self.first.root)?, read_hash(&self.second.root)?);
        let (a, b) = (self.first.size, self.second.size);
        if !is_beginning(a, &first, b, &second, &read_hashes(&self.path)?) {
            return Err(ProofError::NotABeginning { first: a, second: b });
        }
        if !is_beginning(b, &second, head.size(), head.root(), &read_hashes(&self.path_to_head)?) {
            return Err(ProofError::NotABeginning { first: b, second: head.size() });
        }
        Ok(head)
    }
}

impl ExportHeader {
    pub const fn new(whole: bool, head: ProvedHead) -> Self {
        Self { v: PROOF_VERSION, document: ProofDocument::StemmaExport, whole, head }
    }

    pub fn checks(&self) -> Result<ExportCheck, ProofError> {
        check_version(self.v)?;
        Ok(ExportCheck { head: self.head.open()?, is_whole: self.whole, tree: Frontier::default() })
    }
}

impl ExportCheck {
    pub const fn head(&self) -> &SignedHead {
        &self.head
    }

    pub fn event(&mut self, event: &ProvedEvent) -> Result<(), ProofError> {
        if !self.is_whole {
            return event.check_path(&self.head);
        }
        if event.seq != self.tree.size() + 1 {
            let what = format!("not that of event {}, which comes next", self.tree.size() + 1);
            return Err(ProofError::Leaf { seq: event.seq, what });
        }
        self.tree.append(event.hash()?);
        Ok(())
    }

    /// Checks what only all lines together tell.
    pub fn end(&self) -> Result<(), ProofError> {
        let is_signed = self.tree.size() == self.head.size() && self.tree.root() == *self.head.root();
        if self.is_whole && !is_signed { Err(ProofError::OtherRoot) } else { Ok(()) }
    }
}

fn check_version(v: u32) -> Result<(), ProofError> {
    if v == PROOF_VERSION { Ok(()) } else { Err(ProofError::Version(v)) }
}

pub fn write_hashes(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| BASE64.encode(hash)).collect()
}

fn read_hashes(texts: &[String]) -> Result<Vec<Hash>, ProofError> {
    texts.iter().map(|text| read_hash(text)).collect()
}

fn read_hash(text: &str) -> Result<Hash, ProofError> {
    let hash = BASE64.decode(text.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
    hash.ok_or_else(|| ProofError::NotAHash(text.to_owned()))
}

#[cfg(test)]
mod tests;
