//! The home, and who the caller is to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    id::HomeId,
    name::{PrincipalName, ProjectName},
    record::Auth,
    rights::Role,
};

/// `GET /api/v1/home`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HomeInfo {
    pub home: HomeId,
    pub stemma_version: String,
    pub projects: Vec<ProjectName>,
    pub you: Identity,
}

/// Who the server takes the caller for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    pub principal: PrincipalName,
    pub auth: Auth,
    /// Roles in all projects, or in the one named.
    pub roles: Vec<Grant>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    pub project: Option<ProjectName>,
    pub role: Role,
}
