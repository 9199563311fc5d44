//! Rows that nobody ever was, in the form of a table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::act::Query;

/// What `GET …/mock` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AskMock {
    /// The table, as people type it.
    #[serde(rename = "ref")]
    pub reference: String,
    /// At most 100,000; 200 if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    /// The same table, number of rows and seed give the same rows.
    #[serde(default)]
    pub seed: u64,
}

impl Query for AskMock {
    const EXAMPLE: &'static str = "ref=german-credit@1";
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MockTable {
    /// Of the table that they are like, as in `german-credit@1`.
    pub name: String,
    pub columns: Vec<String>,
    /// Cell by cell; empty for nothing.
    pub rows: Vec<Vec<String>>,
    /// What could not be made, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
