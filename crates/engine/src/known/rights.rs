//! Who is known, by which tokens, with which roles, and what is denied to them.

use std::sync::{Arc, PoisonError};

use stemma_api::types::{Grant, Page, Principal, Right, RightSince, Token};
use stemma_core::{
    Problem,
    id::TokenId,
    name::PrincipalName,
    near,
    rights::{Rights, TokenScope},
    standing::{HeldRole, HeldToken, Standing},
};
use stemma_ledger::{PrincipalRow, Recorded};

use super::sources::{Known, fact};
use crate::{
    access::{AccessTable, Caller, Credential, PasswordHolder, TokenHolder, token_hash},
    problem::ledger_problem,
};

impl Known {
    pub async fn principals(&self) -> Result<Vec<Principal>, Problem> {
        let rows = self.facts().principals().await.map_err(ledger_problem)?;
        let principal = |row: Recorded<PrincipalRow>| Principal {
            principal: row.value.principal,
            grants: row.value.roles.iter().map(|role| Grant::from(&role.grant())).collect(),
            denials: row.value.denials,
            added: fact(row.fact),
        };
        Ok(rows.into_iter().map(principal).collect())
    }

    /// Somebody who is known here.
    pub async fn principal(&self, name: &PrincipalName) -> Result<Principal, Problem> {
        let all = self.principals().await?;
        if let Some(found) = all.iter().find(|one| one.principal == *name) {
            return Ok(found.clone());
        }
        let names = all.iter().map(|one| one.principal.as_str());
        let hint = near::hint(name.as_str(), names, "`stemma user list` lists everybody");
        Err(Problem::not_found(format!("nobody is known here as `{name}`")).hint(hint))
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

    /// A page of all roles and denials that hold, in the order in which they were said.
    pub async fn page_of_rights(&self, cursor: Option<u64>, limit: u32) -> Result<Page<RightSince>, Problem> {
        let roles = self.facts().roles().await.map_err(ledger_problem)?.into_iter();
        let denials = self.facts().denials().await.map_err(ledger_problem)?.into_iter();
        let roles = roles.map(|row| RightSince { right: Right::Role(row.value), since: fact(row.fact) });
        let denials = denials.map(|row| RightSince { right: Right::Denial(row.value), since: fact(row.fact) });
        let mut rights: Vec<RightSince> =
            roles.chain(denials).filter(|one| cursor.is_none_or(|cursor| one.since.seq > cursor)).collect();
        rights.sort_by_key(|one| one.since.seq);
        Ok(Page::of(rights, limit, |last| last.since.seq))
    }

    /// All roles, denials and tokens that hold, to decide on.
    pub(crate) async fn standing(&self) -> Result<Standing, Problem> {
        let roles = self.facts().roles().await.map_err(ledger_problem)?;
        let denials = self.facts().denials().await.map_err(ledger_problem)?;
        let passwords = self.facts().passwords().await.map_err(ledger_problem)?;
        let token = |token: Token| HeldToken {
            token: token.token,
            principal: token.principal,
            label: token.label,
            expires: token.expires,
            scope: token.scope,
        };
        Ok(Standing {
            roles: roles.into_iter().map(|row| row.value).collect(),
            denials: denials.into_iter().map(|row| row.value).collect(),
            tokens: self.tokens().await?.into_iter().map(token).collect(),
            passwords: passwords.into_iter().map(|row| row.value.principal).collect(),
        })
    }

    /// Tokens, roles and projects as the ledger has them.
    pub(crate) async fn access_from_ledger(&self) -> Result<AccessTable, Problem> {
        let principals = self.facts().principals().await.map_err(ledger_problem)?;
        let rights_of = |principal: &PrincipalName, scope: TokenScope| {
            let owner = principals.iter().map(|row| &row.value).find(|one| one.principal == *principal);
            Arc::new(Rights {
                grants: owner.map_or(&[][..], |one| one.roles.as_slice()).iter().map(HeldRole::grant).collect(),
                denials: owner.map_or(&[][..], |one| one.denials.as_slice()).to_vec(),
                scope,
            })
        };
        let mut table = AccessTable { projects: self.directory_from_ledger().await?, ..AccessTable::default() };
        for Recorded { value: token, .. } in self.facts().tokens().await.map_err(ledger_problem)? {
            let rights = rights_of(&token.principal, token.scope);
            let (principal, expires) = (token.principal, token.expires);
            table.holders.insert(token.hash, TokenHolder { token: token.token, principal, expires, rights });
        }
        for Recorded { value: password, .. } in self.facts().passwords().await.map_err(ledger_problem)? {
            let rights = rights_of(&password.principal, TokenScope::default());
            table.passwords.insert(password.principal, PasswordHolder { check: password.check, rights });
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
            scope: row.value.scope,
            issued: fact(row.fact),
        };
        Ok(rows.into_iter().map(token).collect())
    }

    /// Who a token belongs to.
    pub fn authenticate(&self, token: &str) -> Result<Caller, Problem> {
        self.access_table().authenticate(token, self.now())
    }

    /// Who signs in by a token, and what their session stands on from then on.
    pub fn sign_in_by_token(&self, token: &str) -> Result<(Caller, Credential), Problem> {
        let caller = self.authenticate(token)?;
        Ok((caller, Credential::Token(token_hash(token))))
    }

    /// Who is behind what somebody has signed in with.
    pub fn signed_in(&self, credential: &Credential) -> Result<Caller, Problem> {
        self.access_table().caller(credential, self.now())
    }

    /// Which token of this home a text is, and whose it is, whether or not it still holds.
    pub fn token_of(&self, text: &str) -> Option<(TokenId, PrincipalName)> {
        let table = self.access_table();
        let holder = table.holders.get(&token_hash(text))?;
        Some((holder.token, holder.principal.clone()))
    }

    /// Tokens and roles as they were read last.
    pub fn access_table(&self) -> Arc<AccessTable> {
        self.0.access.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn keep_access_table(&self, table: AccessTable) {
        *self.0.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}
