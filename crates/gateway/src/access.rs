//! Who may ask which endpoint: the hashes of tokens with the right `invoke`, as they travel in the route table.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use stemma_core::{
    Timestamp,
    name::{EndpointName, PrincipalName, ProjectName},
    rights::{Action, Place, Rights},
};

/// BLAKE3 of a token's text.
pub type TokenHash = [u8; 32];

/// What a token grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub principal: PrincipalName,
    pub rights: Arc<Rights>,
    pub expires: Option<Timestamp>,
}

/// Of whoever needs no token.
static UNCREDENTIALED: LazyLock<Arc<Rights>> = LazyLock::new(|| Arc::new(Rights::uncredentialed()));

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
    rights: Arc<Rights>,
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
        Ok(Caller { principal: grant.principal.clone(), rights: grant.rights.clone() })
    }

    fn anonymous(&self, peer_is_local: bool) -> Result<Caller, AccessError> {
        if !(peer_is_local && self.anonymous_local) {
            return Err(AccessError::TokenMissing);
        }
        Ok(Caller { principal: PrincipalName::anonymous(), rights: UNCREDENTIALED.clone() })
    }
}

impl Caller {
    /// The same decision as everywhere.
    pub fn may_ask(&self, project: &ProjectName, endpoint: &EndpointName) -> bool {
        self.rights.allow(Action::Invoke, Place::Endpoint(project, endpoint))
    }
}

#[cfg(test)]
mod tests {
    use stemma_core::rights::{Role, RoleGrant};

    use super::*;

    fn project(text: &str) -> ProjectName {
        ProjectName::new(text).unwrap()
    }

    fn grant(name: &str, role: RoleGrant, expires: Option<Timestamp>) -> Grant {
        let rights = Arc::new(Rights { grants: vec![role], ..Rights::default() });
        Grant { principal: PrincipalName::new(name).unwrap(), rights, expires }
    }

    fn access(anonymous_local: bool) -> Access {
        let everywhere = RoleGrant::new(Role::Invoker, None);
        let credit = RoleGrant::new(Role::Invoker, Some(project("credit")));
        let score = RoleGrant { endpoint: Some("score".parse().unwrap()), ..credit.clone() };
        let tokens = [
            ("stm_all", grant("root", everywhere.clone(), None)),
            ("stm_credit", grant("shop", credit, None)),
            ("stm_score", grant("till", score, None)),
            ("stm_old", grant("old", everywhere, Some(Timestamp(100)))),
        ];
        Access { tokens: tokens.map(|(token, grant)| (Access::hash(token), grant)).into(), anonymous_local }
    }

    /// Who asks, and whether they may ask the endpoint `score` of a project.
    fn check(
        access: &Access,
        token: Option<&str>,
        local: bool,
        in_project: &str,
    ) -> Result<(String, bool), AccessError> {
        let caller = access.identify(token, local, Timestamp(100))?;
        let may = caller.may_ask(&project(in_project), &"score".parse().unwrap());
        Ok((caller.principal.to_string(), may))
    }

    #[test]
    fn tokens_grant_what_they_list_until_they_expire() {
        let access = access(false);
        let said = |name: &str, may| Ok((name.to_owned(), may));
        assert_eq!(check(&access, Some("stm_all"), false, "fraud"), said("root", true));
        assert_eq!(check(&access, Some("stm_credit"), false, "credit"), said("shop", true));
        assert_eq!(check(&access, Some("stm_credit"), false, "fraud"), said("shop", false));
        assert_eq!(check(&access, Some("stm_score"), false, "credit"), said("till", true));
        let till = access.identify(Some("stm_score"), false, Timestamp(100)).unwrap();
        assert!(!till.may_ask(&project("credit"), &"limit".parse().unwrap()));
        assert_eq!(check(&access, Some("stm_old"), false, "fraud"), Err(AccessError::TokenExpired));
        assert_eq!(check(&access, Some("stm_"), false, "fraud"), Err(AccessError::TokenUnknown));
        assert_eq!(check(&access, None, true, "fraud"), Err(AccessError::TokenMissing));
    }

    #[test]
    fn this_machine_needs_no_token_but_a_bad_one_is_refused() {
        let access = access(true);
        assert_eq!(check(&access, None, true, "fraud"), Ok(("anonymous".to_owned(), true)));
        assert_eq!(check(&access, None, false, "fraud"), Err(AccessError::TokenMissing));
        assert_eq!(check(&access, Some("bad"), true, "fraud"), Err(AccessError::TokenUnknown));
    }
}
