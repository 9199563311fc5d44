//! Who may call: tokens, the table of rights in memory, and the caller of one request.

use std::{collections::HashMap, sync::Arc};

use data_encoding::BASE32_NOPAD;
use stemma_core::{
    Digest, ErrorKind, Problem, Timestamp,
    id::TokenId,
    name::{EndpointName, PrincipalName, ProjectName},
    record::{Actor, Auth},
    rights::{Action, Place, Reach, Rights, Withheld},
};

use crate::directory::Directory;

/// Every token begins with this, so that secret scanners find it.
pub const TOKEN_PREFIX: &str = "stm_";

/// The caller of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub actor: Actor,
    pub rights: Arc<Rights>,
}

impl Caller {
    /// Somebody on this machine without a credential, under the name they assert.
    pub fn uncredentialed(asserted: Option<PrincipalName>) -> Self {
        let principal = asserted.unwrap_or_else(PrincipalName::anonymous);
        Self { actor: Actor { principal, auth: Auth::Asserted }, rights: Arc::new(Rights::uncredentialed()) }
    }

    /// Somebody who may only see what is public.
    pub fn stranger() -> Self {
        let actor = Actor { principal: PrincipalName::anonymous(), auth: Auth::Asserted };
        Self { actor, rights: Arc::default() }
    }

    /// Checks that a credential says who it is, which some acts need whatever the roles are.
    pub fn must_be_proved(&self, act: &str) -> Result<(), Problem> {
        if self.actor.auth == Auth::Authenticated {
            return Ok(());
        }
        Err(Problem::new(ErrorKind::Unauthenticated, format!("to {act} needs a credential")).hint("set STEMMA_TOKEN"))
    }

    /// Checks the right to an action in a project, or (`None`) in the whole home.
    pub fn may(&self, action: Action, project: Option<&ProjectName>) -> Result<(), Problem> {
        self.may_at(action, project.map_or(Place::Home, Place::Project))
    }

    /// Checks the right to an action on one endpoint.
    pub fn may_on(&self, action: Action, project: &ProjectName, endpoint: &EndpointName) -> Result<(), Problem> {
        self.may_at(action, Place::Endpoint(project, endpoint))
    }

    /// Checks the right to an action in a place.
    pub fn may_at(&self, action: Action, place: Place<'_>) -> Result<(), Problem> {
        self.rights.decide(action, place).map_err(|why| self.withheld(action, place, why))
    }

    /// Checks the right to an action on a project or some of its endpoints: for what shows only those.
    pub fn may_within(&self, action: Action, project: &ProjectName) -> Result<(), Problem> {
        let decision = self.rights.decide_within(action, project);
        decision.map_err(|why| self.withheld(action, Place::Project(project), why))
    }

    /// Checks the right to an action in some project: for what names its project only later.
    pub fn may_somewhere(&self, action: Action) -> Result<(), Problem> {
        self.rights.decide_somewhere(action).map_err(|why| self.withheld(action, Place::Home, why))
    }

    /// The endpoints of a project that the caller may do it to.
    pub fn reach(&self, action: Action, project: &ProjectName) -> Reach {
        self.rights.reach(action, project)
    }

    fn withheld(&self, action: Action, place: Place<'_>, why: Withheld<'_>) -> Problem {
        let what = action.in_words();
        if self.actor.auth != Auth::Authenticated {
            return Problem::new(ErrorKind::Unauthenticated, format!("to {what} needs a credential")).hint(
                "set STEMMA_TOKEN to a token with that right; `stemma init` put the owner's into the user's config",
            );
        }
        let (who, place) = (&self.actor.principal, in_place(place));
        let (message, hint) = match why {
            Withheld::NotGranted => (
                format!("`{who}` has no right to {what}{place}"),
                "an owner can grant it with `stemma role grant NAME ROLE`".to_owned(),
            ),
            Withheld::Denied(denial) => (
                format!("`{who}` may not {what}{place}: it is denied to them"),
                format!("an owner can withdraw it with `stemma role revoke {who} {} --denial`", denial.what),
            ),
            Withheld::OutOfScope => (
                format!("the token of `{who}` is not good to {what}{place}"),
                "use another token; an owner can issue one with `stemma token issue NAME`".to_owned(),
            ),
        };
        Problem::new(ErrorKind::Forbidden, message).hint(hint)
    }
}

fn in_place(place: Place<'_>) -> String {
    match place {
        Place::Home => String::new(),
        Place::Project(project) => format!(" in project `{project}`"),
        Place::Endpoint(project, endpoint) => format!(" at endpoint `{endpoint}` of project `{project}`"),
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
    *Digest::of(token.as_bytes()).as_bytes()
}

/// What is known of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHolder {
    pub token: TokenId,
    pub principal: PrincipalName,
    pub expires: Option<Timestamp>,
    pub rights: Arc<Rights>,
}

/// What somebody has signed in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A token, by its hash.
    Token([u8; 32]),
    /// A password of somebody, by what its hash is committed to by.
    Password(PrincipalName, Digest),
}

/// What is known of somebody's password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordHolder {
    pub check: Digest,
    pub rights: Arc<Rights>,
}

/// All valid tokens by hash, all passwords, and the projects that there are; swapped whole when rights or projects change.
#[derive(Debug, Clone, Default)]
pub struct AccessTable {
    pub holders: HashMap<[u8; 32], TokenHolder>,
    pub passwords: HashMap<PrincipalName, PasswordHolder>,
    pub projects: Directory,
}

impl AccessTable {
    pub fn authenticate(&self, token: &str, now: Timestamp) -> Result<Caller, Problem> {
        self.by_token(&token_hash(token), now)
    }

    /// Who is behind what was signed in with: as long as it holds, with the rights that they have now.
    pub fn caller(&self, credential: &Credential, now: Timestamp) -> Result<Caller, Problem> {
        match credential {
            Credential::Token(hash) => self.by_token(hash, now),
            Credential::Password(principal, check) => {
                let holder = self.passwords.get(principal).filter(|holder| holder.check == *check);
                let holder = holder
                    .ok_or_else(|| Problem::new(ErrorKind::Unauthenticated, "the password was changed or removed"))?;
                let actor = Actor { principal: principal.clone(), auth: Auth::Authenticated };
                Ok(Caller { actor, rights: holder.rights.clone() })
            }
        }
    }

    pub fn has_password(&self, principal: &PrincipalName) -> bool {
        self.passwords.contains_key(principal)
    }

    fn by_token(&self, hash: &[u8; 32], now: Timestamp) -> Result<Caller, Problem> {
        let unknown = || {
            Problem::new(ErrorKind::Unauthenticated, "the token is not valid here")
                .hint("tokens belong to one home; an owner of this one can make another with `stemma user add`")
        };
        let holder = self.holders.get(hash).ok_or_else(unknown)?;
        if holder.expires.is_some_and(|expires| expires <= now) {
            return Err(Problem::new(ErrorKind::Unauthenticated, "the token has expired")
                .hint("an owner can issue another with `stemma token issue`"));
        }
        let actor = Actor { principal: holder.principal.clone(), auth: Auth::Authenticated };
        Ok(Caller { actor, rights: holder.rights.clone() })
    }
}

#[cfg(test)]
mod tests {
    use stemma_core::rights::{Denial, Role, RoleGrant};

    use super::*;

    fn caller(role: Role, project: Option<&str>) -> Caller {
        let project = project.map(|name| name.parse().unwrap());
        let actor = Actor { principal: "ada@example.org".parse().unwrap(), auth: Auth::Authenticated };
        Caller { actor, rights: Arc::new(Rights { grants: vec![RoleGrant::new(role, project)], ..Rights::default() }) }
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
        for action in [Action::Track, Action::Register, Action::Create, Action::Invoke, Action::Feedback, Action::Read]
        {
            assert!(anybody.may(action, None).is_ok(), "{action}");
        }
        for action in [Action::Approve, Action::Promote, Action::SetPolicy, Action::ManageRights, Action::Deploy] {
            assert_eq!(anybody.may(action, None).unwrap_err().kind, ErrorKind::Unauthenticated, "{action}");
        }
        assert!(Caller::stranger().may(Action::Read, None).is_err());
    }

    #[test]
    fn a_refusal_says_why_and_what_to_do_about_it() {
        let credit: ProjectName = "credit".parse().unwrap();
        let asked = |rights: Rights| {
            let caller = Caller { rights: Arc::new(rights), ..caller(Role::Reader, None) };
            let problem = caller.may(Action::Approve, Some(&credit)).unwrap_err();
            (problem.message, problem.hint.unwrap())
        };
        let owner = vec![RoleGrant::new(Role::Owner, None)];
        let (message, hint) = asked(Rights::default());
        assert_eq!(message, "`ada@example.org` has no right to approve versions in project `credit`");
        assert!(hint.contains("role grant"), "{hint}");
        let denial =
            Denial { principal: "ada@example.org".parse().unwrap(), what: "approve".parse().unwrap(), project: None };
        let (message, hint) = asked(Rights { grants: owner.clone(), denials: vec![denial], ..Rights::default() });
        assert_eq!(message, "`ada@example.org` may not approve versions in project `credit`: it is denied to them");
        assert!(hint.contains("`stemma role revoke ada@example.org approve --denial`"), "{hint}");
        let mut narrow = Rights { grants: owner, ..Rights::default() };
        narrow.scope.actions = Some([Action::Read].into());
        let (message, hint) = asked(narrow);
        assert_eq!(message, "the token of `ada@example.org` is not good to approve versions in project `credit`");
        assert!(hint.contains("token issue"), "{hint}");
    }

    #[test]
    fn tokens_are_recognised_until_they_expire() {
        let token = new_token().unwrap();
        assert!(token.text.starts_with("stm_") && token.text.len() == 56);
        let holder = TokenHolder {
            token: TokenId::from_u128(1),
            principal: "ada@example.org".parse().unwrap(),
            expires: Some(Timestamp(10)),
            rights: Arc::default(),
        };
        let table = AccessTable { holders: HashMap::from([(token.hash, holder)]), ..AccessTable::default() };
        assert!(table.authenticate(&token.text, Timestamp(9)).is_ok());
        assert!(table.authenticate(&token.text, Timestamp(10)).is_err());
        assert!(table.authenticate("stm_other", Timestamp(0)).is_err());
    }
}
