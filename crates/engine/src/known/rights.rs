//! Who is known, by which tokens, with which roles.

use std::sync::{Arc, PoisonError};

use stemma_api::types::{Grant, Page, Principal, Token};
use stemma_core::Problem;
use stemma_ledger::Recorded;

use super::sources::{Known, fact};
use crate::{
    access::{AccessTable, Caller, RoleGrant, TokenHolder},
    problem::ledger_problem,
};

impl Known {
    pub async fn principals(&self) -> Result<Vec<Principal>, Problem> {
        let rows = self.facts().principals().await.map_err(ledger_problem)?;
        let principal = |row: Recorded<stemma_ledger::PrincipalRow>| Principal {
            principal: row.value.principal,
            grants: row.value.grants.into_iter().map(|g| Grant { project: g.project, role: g.role }).collect(),
            added: fact(row.fact),
        };
        Ok(rows.into_iter().map(principal).collect())
    }

    /// A page of them, in the order in which they were added: these are people and their services, few enough to be read
    /// at once.
    pub async fn page_of_principals(&self, cursor: Option<u64>, limit: u32) -> Result<Page<Principal>, Problem> {
        let all = self.principals().await?.into_iter();
        let behind = all.filter(|one| cursor.is_none_or(|cursor| one.added.seq > cursor)).collect();
        Ok(Page::of(behind, limit, |last| last.added.seq))
    }

    /// A page of tokens, in the order in which they were issued.
    pub async fn page_of_tokens(&self, cursor: Option<u64>, limit: u32) -> Result<Page<Token>, Problem> {
        let all = self.tokens().await?.into_iter();
        let behind = all.filter(|one| cursor.is_none_or(|cursor| one.issued.seq > cursor)).collect();
        Ok(Page::of(behind, limit, |last| last.issued.seq))
    }

    /// Tokens and roles as the ledger has them.
    pub(crate) async fn access_from_ledger(&self) -> Result<AccessTable, Problem> {
        let principals = self.principals().await?;
        let mut table = AccessTable::default();
        for Recorded { value: token, .. } in self.facts().tokens().await.map_err(ledger_problem)? {
            let owner = principals.iter().find(|one| one.principal == token.principal);
            let grants = owner.map_or(&[][..], |one| one.grants.as_slice());
            let grants = grants.iter().map(|g| RoleGrant { project: g.project.clone(), role: g.role }).collect();
            let holder = TokenHolder { principal: token.principal, expires: token.expires, grants };
            table.holders.insert(token.hash, holder);
        }
        Ok(table)
    }

    /// All tokens that were not revoked, in the order in which they were issued.
    pub async fn tokens(&self) -> Result<Vec<Token>, Problem> {
        let rows = self.facts().tokens().await.map_err(ledger_problem)?;
        let now = self.now();
        let token = |row: Recorded<stemma_ledger::TokenRow>| Token {
            token: row.value.token,
            principal: row.value.principal,
            label: row.value.label,
            expires: row.value.expires,
            expired: row.value.expires.is_some_and(|expires| expires <= now),
            issued: fact(row.fact),
        };
        Ok(rows.into_iter().map(token).collect())
    }

    /// Who a token belongs to.
    pub fn authenticate(&self, token: &str) -> Result<Caller, Problem> {
        self.access_table().authenticate(token, self.now())
    }

    /// Tokens and roles as they were read last.
    pub fn access_table(&self) -> Arc<AccessTable> {
        self.0.access.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn keep_access_table(&self, table: AccessTable) {
        *self.0.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}
