//! Who is known, what they may do, and with which tokens.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Timestamp,
    id::TokenId,
    name::{EndpointName, PrincipalName, ProjectName},
    rights::{Action, Denial, Place, Rights, Role, RoleGrant, TokenScope},
    standing::HeldRole,
};

use super::{asked::given, fact::Fact, home::Grant};
use crate::act::Query;

/// `POST /api/v1/principals`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddPrincipal {
    pub principal: PrincipalName,
    pub role: Role,
    #[serde(default)]
    pub project: Option<ProjectName>,
    #[serde(default)]
    pub label: String,
    /// Days until the token expires; absent: never.
    #[serde(default)]
    pub expires_days: Option<u32>,
}

/// The only time the token is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssuedToken {
    pub principal: PrincipalName,
    pub role: Role,
    pub token_id: TokenId,
    pub token: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Principal {
    pub principal: PrincipalName,
    pub grants: Vec<Grant>,
    /// What they may not do, whatever their roles are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<Denial>,
    pub added: Fact,
}

impl Principal {
    pub fn roles(&self) -> impl Iterator<Item = RoleGrant> {
        self.grants.iter().map(RoleGrant::from)
    }

    /// Whether they may do something in a project, or in the whole home. A token of theirs may reach less.
    pub fn may(&self, action: Action, project: Option<&ProjectName>) -> bool {
        let rights =
            Rights { grants: self.roles().collect(), denials: self.denials.clone(), scope: TokenScope::default() };
        rights.allow(action, project.map_or(Place::Home, Place::Project))
    }
}

/// Who is looked for among those who are known. What is left empty, as in a form, is not said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WhoMay {
    /// Those who may do this; everybody without one.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub may: Option<Action>,
    /// In this project; without one, in the whole home.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
}

impl Query for WhoMay {
    const EXAMPLE: &'static str = "may=promote&project=credit";
}

/// `POST /api/v1/roles`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantRole {
    pub principal: PrincipalName,
    pub role: Role,
    #[serde(default)]
    pub project: Option<ProjectName>,
    /// Only this endpoint of the project; of the role `invoker`.
    #[serde(default)]
    pub endpoint: Option<EndpointName>,
}

/// A role that somebody holds, or what is denied to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    Role(HeldRole),
    Denial(Denial),
}

/// Since when, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RightSince {
    #[serde(flatten)]
    pub right: Right,
    pub since: Fact,
}

/// `POST /api/v1/tokens`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueToken {
    pub principal: PrincipalName,
    #[serde(default)]
    pub label: String,
    /// Days until the token expires; absent: never.
    #[serde(default)]
    pub expires_days: Option<u32>,
    /// What it reaches of what its holder may do; absent: all of it.
    #[serde(default)]
    pub scope: TokenScope,
}

/// `POST /api/v1/tokens/rotate`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateToken {
    pub token: TokenId,
    /// Hours for which the token that is replaced still holds; absent: it ends at once.
    #[serde(default)]
    pub grace_hours: Option<u32>,
}

/// The only time the token is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewToken {
    pub token_id: TokenId,
    pub token: String,
    pub principal: PrincipalName,
    pub label: String,
    pub expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "TokenScope::is_whole")]
    pub scope: TokenScope,
    /// The token whose place it takes, and until when that one holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ReplacedToken>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplacedToken {
    pub token: TokenId,
    /// Absent if it holds no more.
    pub until: Option<Timestamp>,
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    pub token: TokenId,
    pub principal: PrincipalName,
    pub label: String,
    pub expires: Option<Timestamp>,
    /// It has run out: nobody gets in with it any more.
    pub expired: bool,
    /// What it reaches of what its holder may do.
    #[serde(default, skip_serializing_if = "TokenScope::is_whole")]
    pub scope: TokenScope,
    pub issued: Fact,
}

/// What was withdrawn; it holds from now on, also in what is asked meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Revoked {
    pub roles: Vec<HeldRole>,
    pub tokens: Vec<TokenId>,
    /// What roles decide again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<Denial>,
    /// Whose passwords are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passwords: Vec<PrincipalName>,
}

/// `POST /api/v1/passwords`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPassword {
    pub principal: PrincipalName,
    /// 15 characters or more.
    pub password: String,
}

impl fmt::Debug for SetPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetPassword").field("principal", &self.principal).finish_non_exhaustive()
    }
}

/// `POST /api/v1/passwords/remove`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemovePassword {
    pub principal: PrincipalName,
}

/// Whether somebody can sign in to the pages by a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PasswordOf {
    pub principal: PrincipalName,
    pub is_set: bool,
}
