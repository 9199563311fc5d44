//! The home, its projects, and who may do what.

use std::collections::HashMap;

use stemma_core::{
    Timestamp,
    id::{HomeId, TokenId},
    name::{PrincipalName, ProjectName},
    policy::Role,
};

use super::{Fact, View, facts};
use crate::{
    LedgerError,
    sql::{Row, Value},
};

/// A role in one project, or in all when `project` is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub project: Option<ProjectName>,
    pub role: Role,
    pub granted: Fact,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub principal: PrincipalName,
    pub grants: Vec<Grant>,
    pub added: Fact,
}

/// A token that was not revoked, and what its holder may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHolder {
    pub token: TokenId,
    pub hash: [u8; 32],
    pub principal: PrincipalName,
    pub label: String,
    pub expires: Option<Timestamp>,
    pub grants: Vec<Grant>,
    pub issued: Fact,
}

impl View {
    pub async fn home(&mut self) -> Result<Option<HomeId>, LedgerError> {
        let sql = facts!("home", "ORDER BY x.from_seq LIMIT 1");
        self.current_one(sql, [], |row| row.parse("home")).await
    }

    /// All projects, in the order in which they were made.
    pub async fn projects(&mut self) -> Result<Vec<ProjectName>, LedgerError> {
        self.current(facts!("project", "ORDER BY x.from_seq"), [], |row| row.parse("project")).await
    }

    /// All principals with their roles, in the order in which they were added.
    pub async fn principals(&mut self) -> Result<Vec<Principal>, LedgerError> {
        let mut grants = self.grants_by_principal().await?;
        let principals = self.current(facts!("principal", "ORDER BY x.from_seq"), [], |row| {
            Ok((row.parse::<PrincipalName>("principal")?, Fact::from_row(row)?))
        });
        Ok(principals
            .await?
            .into_iter()
            .map(|(principal, added)| {
                let grants = grants.remove(&principal).unwrap_or_default();
                Principal { principal, grants, added }
            })
            .collect())
    }

    /// The roles of one principal.
    pub async fn grants(&mut self, principal: &PrincipalName) -> Result<Vec<Grant>, LedgerError> {
        let sql = facts!("role_grant", "AND x.principal = $2 ORDER BY x.from_seq");
        self.current(sql, [Value::text(principal)], grant).await
    }

    /// Whose token has this hash; none if it is unknown, revoked or expired.
    pub async fn principal_of_token(
        &mut self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<PrincipalName>, LedgerError> {
        let sql = facts!(
            "token",
            "AND x.token IN (SELECT h.token FROM token_hash h WHERE h.hash = $2)
             AND (x.expires IS NULL OR x.expires > $3)"
        );
        self.current_one(sql, [Value::Blob(hash.to_vec()), now.into()], |row| row.parse("principal")).await
    }

    /// Every token that was not revoked, with the roles of its holder; expired ones, too.
    pub async fn all_tokens_with_roles(&mut self) -> Result<Vec<TokenHolder>, LedgerError> {
        let grants = self.grants_by_principal().await?;
        let sql = "SELECT x.*, h.hash, e.time AS made_time, e.actor AS made_actor, e.auth AS made_auth
             FROM token x JOIN token_hash h ON h.token = x.token JOIN event e ON e.seq = x.from_seq
             WHERE x.from_seq <= $1 AND (x.to_seq IS NULL OR x.to_seq > $1) ORDER BY x.from_seq";
        self.current(sql, [], |row| {
            let principal: PrincipalName = row.parse("principal")?;
            Ok(TokenHolder {
                token: row.parse("token")?,
                hash: row.hash("hash")?,
                label: row.text("label")?.to_owned(),
                expires: row.opt_int("expires")?.map(Timestamp),
                grants: grants.get(&principal).cloned().unwrap_or_default(),
                principal,
                issued: Fact::from_row(row)?,
            })
        })
        .await
    }

    async fn grants_by_principal(&mut self) -> Result<HashMap<PrincipalName, Vec<Grant>>, LedgerError> {
        let sql = facts!("role_grant", "ORDER BY x.from_seq");
        let all = self.current(sql, [], |row| Ok((row.parse::<PrincipalName>("principal")?, grant(row)?))).await?;
        let mut grants: HashMap<PrincipalName, Vec<Grant>> = HashMap::new();
        for (principal, grant) in all {
            grants.entry(principal).or_default().push(grant);
        }
        Ok(grants)
    }
}

fn grant(row: &Row) -> Result<Grant, LedgerError> {
    Ok(Grant {
        project: row.opt_parse("project")?,
        role: row.word("role", Role::parse)?,
        granted: Fact::from_row(row)?,
    })
}
