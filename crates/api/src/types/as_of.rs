//! About when an answer is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::Timestamp;

/// The moment that an answer is about, if it was asked about one: `as_of` of each answer about the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AsOf {
    /// The last event that counts; 0 if there was none yet.
    pub seq: u64,
    pub time: Timestamp,
    /// What can't be told as it was then, one line each: it is not in the answer, or it is as it is now.
    #[serde(default)]
    pub left_out: Vec<String>,
}

/// An answer, and about when it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dated<'a, T> {
    #[serde(flatten)]
    pub answer: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<AsOf>,
}

impl AsOf {
    /// Adds what a further page of the same answer says.
    pub fn add(&mut self, more: Self) {
        let new = more.left_out.into_iter().filter(|what| !self.left_out.contains(what)).collect::<Vec<_>>();
        self.left_out.extend(new);
    }
}
