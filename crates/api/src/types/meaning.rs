//! What people say of things.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::meaning::{Aspect, Said, Statement, Thing};

use super::{fact::Fact, page::Limit};
use crate::act::Query;

/// Which thing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct OfThing {
    /// `project`, `model:NAME`, `MODEL@VERSION`, `dataset:NAME`, `endpoint:NAME`, or a name that only one thing has.
    pub of: String,
}

impl Query for OfThing {
    const EXAMPLE: &'static str = "of=credit-score@1.1.0";
}

/// Which thing, and which page of what was ever said of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StatementsOf {
    /// As in [`OfThing`].
    pub of: String,
    /// What the page before gave as `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<u64>,
    #[serde(default)]
    pub limit: Limit<50>,
}

impl Query for StatementsOf {
    const EXAMPLE: &'static str = "of=credit-score@1.1.0&cursor=42&limit=20";
}

/// `POST …/meaning`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Describe {
    /// As in [`OfThing`].
    pub of: String,
    #[serde(flatten)]
    pub said: Said,
}

/// What is said of a thing now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Meaning {
    pub thing: Thing,
    /// By aspect, and tags by their keys.
    pub said: Vec<SaidOfThing>,
    /// Of a version: what is said of its model, where nothing is said of the version itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said_of_model: Vec<SaidOfThing>,
}

impl Meaning {
    /// What is said of the thing, or else of its model; each with whether it is the thing's own.
    pub fn all(&self) -> impl Iterator<Item = (&SaidOfThing, bool)> {
        let own = self.said.iter().map(|one| (one, true));
        own.chain(self.said_of_model.iter().map(|one| (one, false)))
    }

    /// What is said in one way, if it is said.
    pub fn get(&self, aspect: Aspect) -> Option<&SaidOfThing> {
        self.all().map(|(one, _)| one).find(|one| one.aspect == aspect)
    }
}

/// Something that is said, by whom and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SaidOfThing {
    pub aspect: Aspect,
    /// The key of a tag; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    pub text: String,
    pub said: Fact,
}

/// What is said after somebody said something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Described {
    pub meaning: Meaning,
    /// What was news; empty if all of it was said already.
    pub changed: Vec<Statement>,
}

/// Something that was said or taken back, with what was said before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatementMade {
    pub aspect: Aspect,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Absent: it was not said before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Absent: it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    pub said: Fact,
}
