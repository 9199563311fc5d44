//! What is looked for in the registry, and what was found.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest, Timestamp,
    id::RunId,
    name::{PrincipalName, ProjectName},
    search::Realm,
};

use super::{asked::given, page::Limit};
use crate::act::Query;

/// What is looked for. What is left empty, as in a form, is not said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SearchRegistry {
    /// A condition, as in `auc > 0.8 and stage = production and not has gate:equal-by-sex`; everything without one.
    #[serde(default, rename = "q", deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Among what.
    #[serde(default, rename = "in")]
    pub realm: Realm,
    /// Only in this project; without one in all that the caller may read.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
    /// A row as a JSON object, as in `{"age": 30}`: only versions that can be asked about it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub accepts: Option<String>,
    /// `auc desc`, `name`, `params.lr asc`; the newest first without one.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// What the page before gave as `next`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default)]
    pub limit: Limit<50>,
    /// Also how many there are, and how they are distributed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counts: bool,
}

impl Query for SearchRegistry {
    const EXAMPLE: &'static str = "q=auc > 0.8 and stage = production&in=versions&order=auc desc&limit=20";
}

/// `GET /search`: a page of what was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FoundThings {
    #[serde(rename = "in")]
    pub realm: Realm,
    /// The query as it was understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    pub order: String,
    pub items: Vec<FoundThing>,
    /// Goes into `cursor` as it is; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// In how many projects was looked.
    pub projects: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<SearchCounts>,
    /// Of what something is not known that was asked, one line each: there may be more than was found.
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// A version, or a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FoundThing {
    pub project: ProjectName,
    /// Of the model or dataset; of a run its command.
    pub name: String,
    /// `1.2.0` of a model, `3` of a dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Who registered, added or ran it.
    pub by: PrincipalName,
    /// When; of a run when it began.
    pub registered: Timestamp,
    /// The run itself, or the one that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Of a run: `ok` or `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Of a run: `training`, `evaluation` or `stage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The metrics, parameters and verdicts that query and order name, as `metrics.auc`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, FoundValue>,
}

impl FoundThing {
    /// `credit-score@1.2.0`, `german-credit@3`, or the id of a run.
    pub fn title(&self) -> String {
        match (&self.version, &self.run) {
            (Some(version), _) => format!("{}@{version}", self.name),
            (None, Some(run)) => run.to_string(),
            (None, None) => self.name.clone(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FoundValue {
    Number(f64),
    Text(String),
}

/// How many things are found, and how they are distributed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchCounts {
    pub total: u64,
    /// Whether these are all; else the newest so many were counted, and there are more.
    pub complete: bool,
    pub facets: Vec<Facet>,
}

/// How what was found is distributed over the values of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Facet {
    pub field: String,
    /// The most frequent first.
    pub values: Vec<FacetValue>,
    /// Further values that are not listed.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FacetValue {
    pub value: String,
    pub count: u64,
}

const fn is_none(more: &u64) -> bool {
    *more == 0
}
