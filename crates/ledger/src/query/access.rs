//! Who is known, what they may do, what is denied to them, and which projects there are.

use std::str::FromStr;

use stemma_core::{
    Digest, Timestamp,
    id::TokenId,
    name::{EndpointName, PrincipalName, ProjectName},
    rights::{Denial, Edition, Role, TokenScope},
    standing::HeldRole,
};

use super::view::{View, recorded, text};
use crate::{
    LedgerError, Recorded,
    sql::{Row, Value},
    writing::note,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalRow {
    pub principal: PrincipalName,
    pub roles: Vec<HeldRole>,
    pub denials: Vec<Denial>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub token: TokenId,
    pub hash: [u8; 32],
    pub principal: PrincipalName,
    /// When it ends: as it was issued, or as it was shortened since.
    pub expires: Option<Timestamp>,
    pub label: String,
    pub scope: TokenScope,
}

/// A password that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRow {
    pub principal: PrincipalName,
    /// BLAKE3 of the hash.
    pub check: Digest,
}

/// A project that was made, and how it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectRow {
    pub project: ProjectName,
    pub closed: Option<Recorded<String>>,
}

impl View {
    pub async fn projects(&self) -> Result<Vec<ProjectName>, LedgerError> {
        let mut read = self.read().await?;
        let rows = read.facts("t.project AS project", "project", &[]).await?;
        let mut projects = rows.iter().map(|row| row.parsed("project")).collect::<Result<Vec<_>, _>>()?;
        projects.sort();
        Ok(projects)
    }

    /// Those of the projects that were made, each with the fact that made it; by name.
    pub async fn projects_among(&self, names: &[ProjectName]) -> Result<Vec<Recorded<ProjectRow>>, LedgerError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        note("project", &[]);
        note("project_closed", &[]);
        let mut read = self.read().await?;
        let (places, values) = list(names);
        let wheres = format!("{} AND t.project IN ({places})", read.holds("t"));
        let made = read.facts_where("t.project AS project", "project", &wheres, &values).await?;
        let ended = read.facts_where("t.project AS project, t.reason AS reason", "project_closed", &wheres, &values);
        let closed = ended.await?.iter().map(closing).collect::<Result<Vec<_>, _>>()?;
        let mut found = Vec::with_capacity(made.len());
        for row in made {
            let project: ProjectName = row.parsed("project")?;
            let closed = closed.iter().find(|(name, _)| *name == project).map(|(_, closed)| closed.clone());
            found.push(recorded(&row, ProjectRow { project, closed })?);
        }
        found.sort_by(|a, b| a.value.project.cmp(&b.value.project));
        Ok(found)
    }

    /// Why a project is closed, if it is. Whoever decides stands on it.
    pub async fn project_closed(&self, project: &ProjectName) -> Result<Option<Recorded<String>>, LedgerError> {
        let mut read = self.read().await?;
        let columns = "t.project AS project, t.reason AS reason";
        let rows = read.facts(columns, "project_closed", &[("project", text(project))]).await?;
        rows.first().map(closing).transpose().map(|found| found.map(|(_, closed)| closed))
    }

    /// All that are closed.
    pub async fn closed_projects(&self) -> Result<Vec<(ProjectName, Recorded<String>)>, LedgerError> {
        let mut read = self.read().await?;
        let rows = read.facts("t.project AS project, t.reason AS reason", "project_closed", &[]).await?;
        rows.iter().map(closing).collect()
    }

    pub async fn principals(&self) -> Result<Vec<Recorded<PrincipalRow>>, LedgerError> {
        let (roles, denials) = (self.roles().await?, self.denials().await?);
        let mut read = self.read().await?;
        let rows = read.facts("t.principal AS principal", "principal", &[]).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let principal: PrincipalName = row.parsed("principal")?;
            let roles = roles.iter().map(|one| &one.value).filter(|role| role.principal == principal).cloned();
            let denials = denials.iter().map(|one| &one.value).filter(|denial| denial.principal == principal).cloned();
            let (roles, denials) = (roles.collect(), denials.collect());
            found.push(recorded(&row, PrincipalRow { principal, roles, denials })?);
        }
        Ok(found)
    }

    /// All roles that hold, in the order in which they were granted.
    pub async fn roles(&self) -> Result<Vec<Recorded<HeldRole>>, LedgerError> {
        let mut read = self.read().await?;
        let before = "t.principal AS principal, t.project AS project, t.role AS role";
        let since = format!("{before}, t.endpoint AS endpoint, t.edition AS edition");
        let mut roles = Vec::new();
        for row in read.facts(before, "role_grant", &[]).await? {
            roles.push(recorded(&row, held_role(&row, None, Edition::First)?)?);
        }
        for row in read.facts(&since, "held_role", &[]).await? {
            let edition = u8::try_from(row.int("edition")?).ok().and_then(|number| Edition::try_from(number).ok());
            let edition = edition.ok_or_else(|| LedgerError::Damaged("the edition of a role".to_owned()))?;
            let endpoint = if_any::<EndpointName>(&row, "endpoint")?;
            roles.push(recorded(&row, held_role(&row, endpoint, edition)?)?);
        }
        roles.sort_by_key(|role| role.fact.seq);
        Ok(roles)
    }

    /// All that is denied to somebody, in the order in which it was.
    pub async fn denials(&self) -> Result<Vec<Recorded<Denial>>, LedgerError> {
        let mut read = self.read().await?;
        let columns = "t.principal AS principal, t.project AS project, t.what AS what";
        let rows = read.facts(columns, "denial", &[]).await?;
        let denial = |row: &Row| {
            let what = row.text("what")?;
            let what = what.parse().map_err(|_| LedgerError::Damaged(format!("what is denied: `{what}`")))?;
            recorded(row, Denial { principal: row.parsed("principal")?, what, project: if_any(row, "project")? })
        };
        rows.iter().map(denial).collect()
    }

    /// All passwords that hold: whose, and what their hashes are committed to by.
    pub async fn passwords(&self) -> Result<Vec<Recorded<PasswordRow>>, LedgerError> {
        note("password", &[]);
        let mut read = self.read().await?;
        let rows = read.facts("t.principal AS principal, t.hash_check AS hash_check", "password", &[]).await?;
        let password = |row: &Row| {
            recorded(row, PasswordRow { principal: row.parsed("principal")?, check: row.parsed("hash_check")? })
        };
        rows.iter().map(password).collect()
    }

    /// The hash of somebody's password, as a PHC string.
    pub async fn password_hash(&self, principal: &PrincipalName) -> Result<Option<String>, LedgerError> {
        let mut read = self.read().await?;
        let sql = "SELECT hash FROM password_hash WHERE principal = $1";
        read.session.row(sql, &[text(principal)]).await?.map(|row| row.text("hash")).transpose()
    }

    /// All tokens that were not revoked, with their hashes.
    pub async fn tokens(&self) -> Result<Vec<Recorded<TokenRow>>, LedgerError> {
        note("token", &[]);
        note("token_end", &[]);
        let mut read = self.read().await?;
        let columns = format!(
            "t.token AS token, t.principal AS principal, t.label AS label, \
             COALESCE((SELECT e.expires FROM token_end e WHERE e.token = t.token AND {}), t.expires) AS expires, \
             COALESCE((SELECT s.scope FROM token_scope s WHERE s.token = t.token), '{{}}') AS scope, \
             (SELECT hash FROM token_hash WHERE token_hash.token = t.token) AS hash",
            read.holds("e")
        );
        let wheres = format!("{} AND EXISTS (SELECT 1 FROM token_hash h WHERE h.token = t.token)", read.holds("t"));
        let rows = read.facts_where(&columns, "token", &wheres, &[]).await?;
        rows.iter().map(token).collect()
    }
}

fn token(row: &Row) -> Result<Recorded<TokenRow>, LedgerError> {
    let hash = row.blob("hash")?.try_into().map_err(|_| LedgerError::Damaged("a token hash".to_owned()))?;
    let token = TokenRow {
        token: row.parsed("token")?,
        hash,
        principal: row.parsed("principal")?,
        expires: row.optional_int("expires")?.map(Timestamp),
        label: row.text("label")?,
        scope: row.json("scope")?,
    };
    recorded(row, token)
}

fn held_role(row: &Row, endpoint: Option<EndpointName>, edition: Edition) -> Result<HeldRole, LedgerError> {
    let role = row.text("role")?;
    let role = Role::parse(&role).ok_or_else(|| LedgerError::Damaged(format!("role `{role}`")))?;
    Ok(HeldRole { principal: row.parsed("principal")?, role, project: if_any(row, "project")?, endpoint, edition })
}

fn closing(row: &Row) -> Result<(ProjectName, Recorded<String>), LedgerError> {
    Ok((row.parsed("project")?, recorded(row, row.text("reason")?)?))
}

/// A name that may be empty, which stands for all.
fn if_any<T: FromStr>(row: &Row, column: &str) -> Result<Option<T>, LedgerError> {
    match row.text(column)?.is_empty() {
        true => Ok(None),
        false => row.parsed(column).map(Some),
    }
}

/// `$1, $2`, and the values.
fn list(names: &[ProjectName]) -> (String, Vec<Value>) {
    let places: Vec<String> = (1..=names.len()).map(|n| format!("${n}")).collect();
    (places.join(", "), names.iter().map(text).collect())
}
