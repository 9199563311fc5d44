//! What is hashed of an event: a leaf that names it and commits to its body without showing it.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stemma_core::{Problem, Timestamp, canonical, event::Event, id::RequestId, record::Actor};

use crate::LedgerError;

/// Format of a leaf, version 1. Canonical JSON; the tree is over these bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leaf {
    pub v: u32,
    pub seq: u64,
    pub time: Timestamp,
    pub actor: Actor,
    pub kind: String,
    pub subject: String,
    pub request: RequestId,
    /// Base64 of SHA-256(salt ‖ body): the body can be forgotten and the proof stays.
    pub commitment: String,
}

impl Leaf {
    /// The text that is hashed.
    pub fn text(&self) -> Result<String, LedgerError> {
        Ok(String::from_utf8(canonical::to_bytes(self)?).expect("canonical JSON is UTF-8"))
    }
}

/// The body of an event with the salt that hides it in its leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    pub salt: [u8; 16],
    pub text: String,
}

impl Body {
    /// Writes an event as JSON and draws a salt. What would not be read back as it is becomes no fact.
    pub fn of(event: &Event) -> Result<Self, LedgerError> {
        let unstorable = |reason: String| {
            let event = format!("{} about {}", event.kind(), event.subject());
            LedgerError::Unstorable { event, reason }
        };
        let text = serde_json::to_string(event)?;
        let again: Event = serde_json::from_str(&text).map_err(|error| unstorable(error.to_string()))?;
        if again != *event {
            return Err(unstorable("it would not be read back as it is, as a number that is not finite".to_owned()));
        }
        if text.contains("\\u0000") {
            let problem = Problem::invalid("a text has the character NUL, which not every database keeps");
            return Err(LedgerError::Unfit(problem.hint("leave it out")));
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| LedgerError::Random(error.to_string()))?;
        Ok(Self { salt, text })
    }
}

/// Returns the commitment to a body.
pub fn commitment(salt: &[u8], body: &str) -> String {
    BASE64.encode(&Sha256::new().chain_update(salt).chain_update(body.as_bytes()).finalize())
}
