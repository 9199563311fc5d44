//! The home, and who the caller is to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    id::HomeId,
    name::{EndpointName, PrincipalName, ProjectName},
    record::Auth,
    rights::{Denial, Edition, Role, RoleGrant, TokenScope},
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
    /// What the caller may not do, whatever the roles are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<Denial>,
    /// What the token reaches of it.
    #[serde(default, skip_serializing_if = "TokenScope::is_whole")]
    pub scope: TokenScope,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    pub project: Option<ProjectName>,
    pub role: Role,
    /// Of this endpoint alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointName>,
    /// What the role stood for when it was granted; see [`Edition`].
    #[serde(default, skip_serializing_if = "Edition::is_first")]
    pub edition: Edition,
}

impl From<&RoleGrant> for Grant {
    fn from(grant: &RoleGrant) -> Self {
        let RoleGrant { role, project, endpoint, edition } = grant.clone();
        Self { project, role, endpoint, edition }
    }
}

impl From<&Grant> for RoleGrant {
    fn from(grant: &Grant) -> Self {
        let Grant { project, role, endpoint, edition } = grant.clone();
        Self { role, project, endpoint, edition }
    }
}
