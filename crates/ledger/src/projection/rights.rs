//! Principals, roles and tokens.

use stemma_core::{
    Timestamp,
    id::TokenId,
    name::{PrincipalName, ProjectName},
    policy::Role,
};

use super::Rows;
use crate::{LedgerError, sql::Value};

pub(super) async fn added(rows: &mut Rows<'_>, principal: &PrincipalName) -> Result<(), LedgerError> {
    rows.insert("INSERT INTO principal (principal, from_seq) VALUES ($2, $1)", [Value::text(principal)]).await
}

pub(super) async fn granted(
    rows: &mut Rows<'_>,
    principal: &PrincipalName,
    project: Option<&ProjectName>,
    role: Role,
) -> Result<(), LedgerError> {
    let values = [Value::text(principal), Value::opt_text(project), Value::text(role)];
    rows.insert("INSERT INTO role_grant (principal, project, role, from_seq) VALUES ($2, $3, $4, $1)", values).await
}

pub(super) async fn revoked(
    rows: &mut Rows<'_>,
    principal: &PrincipalName,
    project: Option<&ProjectName>,
    role: Role,
) -> Result<(), LedgerError> {
    let project = project.map_or("", ProjectName::as_str);
    rows.end(
        "UPDATE role_grant SET to_seq = $1
         WHERE to_seq IS NULL AND principal = $2 AND COALESCE(project, '') = $3 AND role = $4",
        [Value::text(principal), project.into(), Value::text(role)],
    )
    .await
}

pub(super) async fn issued(
    rows: &mut Rows<'_>,
    token: TokenId,
    principal: &PrincipalName,
    label: &str,
    expires: Option<Timestamp>,
) -> Result<(), LedgerError> {
    let expires = Value::opt_int(expires.map(Timestamp::micros));
    rows.insert(
        "INSERT INTO token (token, principal, label, expires, from_seq) VALUES ($2, $3, $4, $5, $1)",
        [Value::text(token), Value::text(principal), label.into(), expires],
    )
    .await
}

pub(super) async fn token_revoked(rows: &mut Rows<'_>, token: TokenId) -> Result<(), LedgerError> {
    rows.end("UPDATE token SET to_seq = $1 WHERE to_seq IS NULL AND token = $2", [Value::text(token)]).await
}
