//! A "no" of the rules, as a value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a governed change was not made, with all that is missing at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, JsonSchema)]
#[error("{message}")]
pub struct Refusal {
    pub message: String,
    /// Every missing piece, not only the first.
    pub missing: Vec<String>,
    pub hint: Option<String>,
}

impl Refusal {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), missing: Vec::new(), hint: None }
    }

    #[must_use]
    pub fn missing(mut self, missing: Vec<String>) -> Self {
        self.missing = missing;
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
