//! Projects: who made them, and which are closed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::name::ProjectName;

use super::fact::Fact;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Project {
    pub project: ProjectName,
    /// Absent if nobody made it: it is from before projects were made, and began with the first thing in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Fact>,
    /// The first fact about it, if nobody made it and there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Fact>,
    /// Absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<ProjectClosed>,
}

/// Nothing in it changes any more; it is read, and what is deployed answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectClosed {
    pub reason: String,
    pub closed: Fact,
}

/// `POST /api/v1/projects`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProject {
    pub project: ProjectName,
}

/// `POST /api/v1/projects/{project}/close`, and `…/reopen`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhyProject {
    #[serde(default)]
    pub reason: String,
}
