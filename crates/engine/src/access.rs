//! Who may call: tokens, the table of grants in memory, and the caller of one request.

use std::collections::HashMap;

use data_encoding::BASE32_NOPAD;
use stemma_core::{
    ErrorKind, Problem, Timestamp,
    name::{PrincipalName, ProjectName},
    record::{Actor, Auth},
    rights::{Action, Role},
};

/// Every token begins with this, so that secret scanners find it.
pub const TOKEN_PREFIX: &str = "stm_";

/// A role in one project, or in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleGrant {
    pub project: Option<ProjectName>,
    pub role: Role,
}

/// The caller of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub actor: Actor,
    pub grants: Vec<RoleGrant>,
}

impl Caller {
    /// Somebody on this machine without a credential: a contributor under the name they assert.
    pub fn uncredentialed(asserted: Option<PrincipalName>) -> Self {
        let principal = asserted.unwrap_or_else(PrincipalName::anonymous);
        let grants = vec![RoleGrant { project: None, role: Role::Contributor }];
        Self { actor: Actor { principal, auth: Auth::Asserted }, grants }
    }

    /// Somebody who may only see what is public.
    pub fn stranger() -> Self {
        Self { actor: Actor { principal: PrincipalName::anonymous(), auth: Auth::Asserted }, grants: Vec::new() }
    }

    /// Checks that a credential says who it is, which some acts need whatever the roles are.
    pub fn must_be_proved(&self, act: &str) -> Result<(), Problem> {
        if self.actor.auth == Auth::Authenticated {
            return Ok(());
        }
        Err(Problem::new(ErrorKind::Unauthenticated, format!("to {act} needs a credential")).hint("set STEMMA_TOKEN"))
    }

    /// Checks the right to an action in some project: for what names its project only later.
    pub fn may_somewhere(&self, action: Action) -> Result<(), Problem> {
        match self.grants.iter().find(|grant| grant.role.allows(action)) {
            Some(grant) => self.may(action, grant.project.as_ref()),
            None => self.may(action, None),
        }
    }

    /// Checks the right to an action in a project, or (`None`) in the whole home.
    pub fn may(&self, action: Action, project: Option<&ProjectName>) -> Result<(), Problem> {
        let in_scope = |grant: &&RoleGrant| match (&grant.project, project) {
            (None, _) => true,
            (Some(granted), Some(asked)) => granted == asked,
            (Some(_), None) => false,
        };
        if action == Action::Public || self.grants.iter().filter(in_scope).any(|grant| grant.role.allows(action)) {
            return Ok(());
        }
        let place = project.map(|project| format!(" in project `{project}`")).unwrap_or_default();
        let who = &self.actor.principal;
        if self.actor.auth == Auth::Authenticated {
            let problem =
                Problem::new(ErrorKind::Forbidden, format!("`{who}` has no right to {}{place}", action.in_words()));
            return Err(problem.hint("an owner can grant it with `stemma user add NAME --role ROLE`"));
        }
        let problem = Problem::new(ErrorKind::Unauthenticated, format!("to {} needs a credential", action.in_words()));
        Err(problem
            .hint("set STEMMA_TOKEN to a token with that right; `stemma init` put the owner's into the user's config"))
    }
}

/// A new token and the hash under which it is kept.
pub struct NewToken {
    pub text: String,
    pub hash: [u8; 32],
}

/// Makes a token of 256 random bits.
pub fn new_token() -> Result<NewToken, Problem> {
    let mut random = [0u8; 32];
    getrandom::fill(&mut random)
        .map_err(|error| Problem::new(ErrorKind::Internal, format!("no random numbers: {error}")))?;
    let text = format!("{TOKEN_PREFIX}{}", BASE32_NOPAD.encode(&random).to_lowercase());
    Ok(NewToken { hash: token_hash(&text), text })
}

/// The hash of a token. It has 256 bits of entropy, so a fast hash keeps it as safe as a slow one.
pub fn token_hash(token: &str) -> [u8; 32] {
    *stemma_core::Digest::of(token.as_bytes()).as_bytes()
}

/// What is known of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHolder {
    pub principal: PrincipalName,
    pub expires: Option<Timestamp>,
    pub grants: Vec<RoleGrant>,
}

/// All valid tokens by hash; swapped whole when rights change.
#[derive(Debug, Clone, Default)]
pub struct AccessTable {
    pub holders: HashMap<[u8; 32], TokenHolder>,
}

impl AccessTable {
    pub fn authenticate(&self, token: &str, now: Timestamp) -> Result<Caller, Problem> {
        let unknown = || {
            Problem::new(ErrorKind::Unauthenticated, "the token is not valid here")
                .hint("tokens belong to one home; an owner of this one can make another with `stemma user add`")
        };
        let holder = self.holders.get(&token_hash(token)).ok_or_else(unknown)?;
        if holder.expires.is_some_and(|expires| expires <= now) {
            return Err(Problem::new(ErrorKind::Unauthenticated, "the token has expired"));
        }
        let actor = Actor { principal: holder.principal.clone(), auth: Auth::Authenticated };
        Ok(Caller { actor, grants: holder.grants.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(role: Role, project: Option<&str>) -> Caller {
        let project = project.map(|name| name.parse().unwrap());
        let actor = Actor { principal: "ada@example.org".parse().unwrap(), auth: Auth::Authenticated };
        Caller { actor, grants: vec![RoleGrant { project, role }] }
    }

    #[test]
    fn rights_end_at_the_project() {
        let (ours, theirs) = ("ours".parse().unwrap(), "theirs".parse().unwrap());
        let owner = caller(Role::Owner, Some("ours"));
        assert!(owner.may(Action::Approve, Some(&ours)).is_ok());
        assert_eq!(owner.may(Action::Read, Some(&theirs)).unwrap_err().kind, ErrorKind::Forbidden);
        assert!(caller(Role::Owner, None).may(Action::Approve, Some(&theirs)).is_ok());
        // what belongs to the home is not for the owner of one project
        assert!(owner.may(Action::ManageRights, None).is_err());
        assert!(owner.may_somewhere(Action::ReadPredictions).is_ok());
    }

    #[test]
    fn the_uncredentialed_track_register_and_predict_and_no_more() {
        let anybody = Caller::uncredentialed(None);
        for action in [Action::Track, Action::Register, Action::Invoke, Action::Feedback, Action::Read] {
            assert!(anybody.may(action, None).is_ok(), "{action}");
        }
        for action in [Action::Approve, Action::Promote, Action::SetPolicy, Action::ManageRights, Action::Deploy] {
            assert_eq!(anybody.may(action, None).unwrap_err().kind, ErrorKind::Unauthenticated, "{action}");
        }
        assert!(Caller::stranger().may(Action::Read, None).is_err());
    }

    #[test]
    fn tokens_are_recognised_until_they_expire() {
        let token = new_token().unwrap();
        assert!(token.text.starts_with("stm_") && token.text.len() == 56);
        let holder =
            TokenHolder { principal: "ada@example.org".parse().unwrap(), expires: Some(Timestamp(10)), grants: vec![] };
        let table = AccessTable { holders: HashMap::from([(token.hash, holder)]) };
        assert!(table.authenticate(&token.text, Timestamp(9)).is_ok());
        assert!(table.authenticate(&token.text, Timestamp(10)).is_err());
        assert!(table.authenticate("stm_other", Timestamp(0)).is_err());
    }
}
