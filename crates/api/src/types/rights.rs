//! Who is known, what they may do, and with which tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Timestamp,
    id::TokenId,
    name::{PrincipalName, ProjectName},
    rights::Role,
    standing::HeldRole,
};

use super::{fact::Fact, home::Grant};

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
    pub added: Fact,
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
    pub issued: Fact,
}

/// What was withdrawn; it holds from now on, also in what is asked meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revoked {
    pub roles: Vec<HeldRole>,
    pub tokens: Vec<TokenId>,
}
