//! Who may ask which endpoint: the hashes of tokens with the right `invoke`, as they travel in the route table.

use std::collections::{BTreeSet, HashMap};

use stemma_core::{
    Timestamp,
    name::{PrincipalName, ProjectName},
};

/// BLAKE3 of a token's text.
pub type TokenHash = [u8; 32];

/// The projects whose endpoints a token may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projects {
    All,
    Only(BTreeSet<ProjectName>),
}

impl Projects {
    pub fn include(&self, project: &ProjectName) -> bool {
        match self {
            Self::All => true,
            Self::Only(projects) => projects.contains(project),
        }
    }
}

/// What a token grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub principal: PrincipalName,
    pub projects: Projects,
    pub expires: Option<Timestamp>,
}

/// All tokens that may ask some endpoint.
#[derive(Debug, Clone, Default)]
pub struct Access {
    pub tokens: HashMap<TokenHash, Grant>,
    /// A caller on this machine needs no token.
    pub anonymous_local: bool,
}

/// A caller whose token is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub principal: PrincipalName,
    pub projects: Projects,
}

/// Why a caller is turned away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    #[error("asking an endpoint needs a token: send `Authorization: Bearer TOKEN`")]
    TokenMissing,
    #[error("the token is not known here")]
    TokenUnknown,
    #[error("the token has expired")]
    TokenExpired,
    #[error("`{principal}` may not ask endpoints of project `{project}`")]
    Forbidden { principal: PrincipalName, project: ProjectName },
}

impl Access {
    /// Returns the hash under which a token is listed.
    pub fn hash(token: &str) -> TokenHash {
        *blake3::hash(token.as_bytes()).as_bytes()
    }

    /// Returns who calls.
    ///
    /// The token is hashed before it is looked up, so the time taken says nothing about the tokens that exist. A token
    /// that is shown must be good: being on this machine does not make up for a bad one.
    pub fn identify(&self, bearer: Option<&str>, peer_is_local: bool, now: Timestamp) -> Result<Caller, AccessError> {
        let Some(token) = bearer else {
            return self.anonymous(peer_is_local);
        };
        let grant = self.tokens.get(&Self::hash(token)).ok_or(AccessError::TokenUnknown)?;
        if grant.expires.is_some_and(|expires| expires <= now) {
            return Err(AccessError::TokenExpired);
        }
        Ok(Caller { principal: grant.principal.clone(), projects: grant.projects.clone() })
    }

    fn anonymous(&self, peer_is_local: bool) -> Result<Caller, AccessError> {
        if !(peer_is_local && self.anonymous_local) {
            return Err(AccessError::TokenMissing);
        }
        Ok(Caller { principal: PrincipalName::anonymous(), projects: Projects::All })
    }

    /// Returns the principal who calls, if it may ask endpoints of the project.
    pub fn authenticate(
        &self,
        bearer: Option<&str>,
        peer_is_local: bool,
        project: &ProjectName,
        now: Timestamp,
    ) -> Result<PrincipalName, AccessError> {
        let caller = self.identify(bearer, peer_is_local, now)?;
        caller.check(project)?;
        Ok(caller.principal)
    }
}

impl Caller {
    pub fn check(&self, project: &ProjectName) -> Result<(), AccessError> {
        if self.projects.include(project) {
            return Ok(());
        }
        Err(AccessError::Forbidden { principal: self.principal.clone(), project: project.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(text: &str) -> ProjectName {
        ProjectName::new(text).unwrap()
    }

    fn access(anonymous_local: bool) -> Access {
        let grant =
            |name: &str, projects, expires| Grant { principal: PrincipalName::new(name).unwrap(), projects, expires };
        let credit = Projects::Only(BTreeSet::from([project("credit")]));
        let tokens = [
            ("stm_all", grant("root", Projects::All, None)),
            ("stm_credit", grant("shop", credit, None)),
            ("stm_old", grant("old", Projects::All, Some(Timestamp(100)))),
        ];
        Access { tokens: tokens.map(|(token, grant)| (Access::hash(token), grant)).into(), anonymous_local }
    }

    fn check(access: &Access, token: Option<&str>, local: bool, in_project: &str) -> Result<String, AccessError> {
        access.authenticate(token, local, &project(in_project), Timestamp(100)).map(|principal| principal.to_string())
    }

    #[test]
    fn tokens_grant_what_they_list_until_they_expire() {
        let access = access(false);
        assert_eq!(check(&access, Some("stm_all"), false, "fraud").unwrap(), "root");
        assert_eq!(check(&access, Some("stm_credit"), false, "credit").unwrap(), "shop");
        assert!(matches!(check(&access, Some("stm_credit"), false, "fraud"), Err(AccessError::Forbidden { .. })));
        assert_eq!(check(&access, Some("stm_old"), false, "fraud"), Err(AccessError::TokenExpired));
        assert_eq!(check(&access, Some("stm_"), false, "fraud"), Err(AccessError::TokenUnknown));
        assert_eq!(check(&access, None, true, "fraud"), Err(AccessError::TokenMissing));
    }

    #[test]
    fn this_machine_needs_no_token_but_a_bad_one_is_refused() {
        let access = access(true);
        assert_eq!(check(&access, None, true, "fraud").unwrap(), "anonymous");
        assert_eq!(check(&access, None, false, "fraud"), Err(AccessError::TokenMissing));
        assert_eq!(check(&access, Some("bad"), true, "fraud"), Err(AccessError::TokenUnknown));
    }
}
