//! Who is known, and what they may do.

use stemma_core::{
    Timestamp,
    id::TokenId,
    name::{PrincipalName, ProjectName},
    rights::Role,
};

use super::view::{Reading, View, recorded, text};
use crate::{LedgerError, Recorded, writing::note};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// `None` is everywhere.
    pub project: Option<ProjectName>,
    pub role: Role,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalRow {
    pub principal: PrincipalName,
    pub grants: Vec<GrantRow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub token: TokenId,
    pub hash: [u8; 32],
    pub principal: PrincipalName,
    pub expires: Option<Timestamp>,
    pub label: String,
}

impl View {
    pub async fn projects(&self) -> Result<Vec<ProjectName>, LedgerError> {
        let mut read = self.read().await?;
        let rows = read.facts("t.project AS project", "project", &[]).await?;
        let mut projects = rows.iter().map(|row| row.parsed("project")).collect::<Result<Vec<_>, _>>()?;
        projects.sort();
        Ok(projects)
    }

    pub async fn principals(&self) -> Result<Vec<Recorded<PrincipalRow>>, LedgerError> {
        let mut read = self.read().await?;
        let rows = read.facts("t.principal AS principal", "principal", &[]).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let principal: PrincipalName = row.parsed("principal")?;
            let grants = grants(&mut read, &principal).await?;
            found.push(recorded(&row, PrincipalRow { principal, grants })?);
        }
        Ok(found)
    }

    /// All tokens that were not revoked, with their hashes.
    pub async fn tokens(&self) -> Result<Vec<Recorded<TokenRow>>, LedgerError> {
        note("token", &[]);
        let mut read = self.read().await?;
        let columns = "t.token AS token, t.principal AS principal, t.expires AS expires, t.label AS label, \
                       (SELECT hash FROM token_hash WHERE token_hash.token = t.token) AS hash";
        let wheres = format!("{} AND EXISTS (SELECT 1 FROM token_hash h WHERE h.token = t.token)", read.holds("t"));
        let rows = read.facts_where(columns, "token", &wheres, &[]).await?;
        rows.iter()
            .map(|row| {
                let hash = row.blob("hash")?.try_into().map_err(|_| LedgerError::Damaged("a token hash".to_owned()))?;
                let expires = row.optional_int("expires")?.map(Timestamp);
                let (token, principal, label) = (row.parsed("token")?, row.parsed("principal")?, row.text("label")?);
                recorded(row, TokenRow { token, hash, principal, expires, label })
            })
            .collect()
    }
}

async fn grants(read: &mut Reading, principal: &PrincipalName) -> Result<Vec<GrantRow>, LedgerError> {
    let rows =
        read.facts("t.project AS project, t.role AS role", "role_grant", &[("principal", text(principal))]).await?;
    rows.iter()
        .map(|row| {
            let project = row.text("project")?;
            let project = if project.is_empty() { None } else { Some(row.parsed("project")?) };
            let role = row.text("role")?;
            let role = Role::parse(&role).ok_or_else(|| LedgerError::Damaged(format!("role `{role}`")))?;
            Ok(GrantRow { project, role })
        })
        .collect()
}
