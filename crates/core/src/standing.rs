//! Which roles, denials and tokens hold, and how they change. A home always keeps an owner who can get in.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Problem, Refusal, Timestamp,
    event::Event,
    id::TokenId,
    name::{EndpointName, PrincipalName, ProjectName},
    rights::{Action, Denial, Edition, Place, Rights, Role, RoleGrant, TokenScope},
};

/// A role that somebody holds, in one project, in all (`None`), or of one endpoint alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldRole {
    pub principal: PrincipalName,
    pub role: Role,
    #[serde(default)]
    pub project: Option<ProjectName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointName>,
    #[serde(default, skip_serializing_if = "Edition::is_first")]
    pub edition: Edition,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldToken {
    pub token: TokenId,
    pub principal: PrincipalName,
    pub label: String,
    pub expires: Option<Timestamp>,
    pub scope: TokenScope,
}

/// What can be withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Revocable {
    /// All roles and all tokens of somebody, and their password; what is denied to them stays denied.
    User {
        principal: PrincipalName,
    },
    Role {
        principal: PrincipalName,
        role: Role,
        #[serde(default)]
        project: Option<ProjectName>,
        #[serde(default)]
        endpoint: Option<EndpointName>,
    },
    Token {
        token: TokenId,
    },
    /// From then on roles decide again.
    Denial {
        denial: Denial,
    },
}

/// All that holds now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    pub roles: Vec<HeldRole>,
    pub denials: Vec<Denial>,
    pub tokens: Vec<HeldToken>,
    /// Who has a password.
    pub passwords: Vec<PrincipalName>,
}

impl Standing {
    /// Decides the events that withdraw something. What does not hold can't be withdrawn, and neither can what lets the
    /// last owner in.
    pub fn withdraw(&self, what: &Revocable, now: Timestamp) -> Result<Vec<Event>, Problem> {
        if let Revocable::Denial { denial } = what {
            return self.withdraw_denial(denial);
        }
        let is_meant = |role: &HeldRole| match what {
            Revocable::User { principal } => role.principal.is_same_person(principal),
            Revocable::Role { principal, role: meant, project, endpoint } => {
                role.principal.is_same_person(principal)
                    && (role.role, &role.project, &role.endpoint) == (*meant, project, endpoint)
            }
            Revocable::Token { .. } | Revocable::Denial { .. } => false,
        };
        let is_meant_token = |token: &HeldToken| match what {
            Revocable::User { principal } => token.principal.is_same_person(principal),
            Revocable::Token { token: meant } => token.token == *meant,
            Revocable::Role { .. } | Revocable::Denial { .. } => false,
        };
        let mut kept = self.clone();
        let roles: Vec<HeldRole> = kept.roles.extract_if(.., |role| is_meant(role)).collect();
        let tokens: Vec<HeldToken> = kept.tokens.extract_if(.., |token| is_meant_token(token)).collect();
        let is_meant_person = |person: &PrincipalName| match what {
            Revocable::User { principal } => person.is_same_person(principal),
            Revocable::Role { .. } | Revocable::Token { .. } | Revocable::Denial { .. } => false,
        };
        let passwords: Vec<PrincipalName> = kept.passwords.extract_if(.., |person| is_meant_person(person)).collect();
        if roles.is_empty() && tokens.is_empty() && passwords.is_empty() {
            return Err(nothing(what));
        }
        kept.must_have_an_owner(now)?;
        let roles = roles.into_iter().map(|held| {
            let HeldRole { principal, role, project, endpoint, edition: _ } = held;
            Event::RoleRevoked { principal, project, role, endpoint }
        });
        let tokens = tokens.into_iter().map(|held| Event::TokenRevoked { token: held.token });
        let passwords = passwords.into_iter().map(|principal| Event::PasswordRemoved { principal });
        Ok(roles.chain(tokens).chain(passwords).collect())
    }

    fn withdraw_denial(&self, wanted: &Denial) -> Result<Vec<Event>, Problem> {
        let is_meant = |held: &&Denial| {
            held.principal.is_same_person(&wanted.principal)
                && (held.what, &held.project) == (wanted.what, &wanted.project)
        };
        match self.denials.iter().find(is_meant) {
            Some(held) => Ok(vec![Event::DenialWithdrawn(held.clone())]),
            None => Err(nothing(&Revocable::Denial { denial: wanted.clone() })),
        }
    }

    /// Decides the events that deny something to somebody; none if it is denied already.
    pub fn deny(&self, denial: &Denial, now: Timestamp) -> Result<Vec<Event>, Problem> {
        if self.denials.contains(denial) {
            return Ok(Vec::new());
        }
        let mut denied = self.clone();
        denied.denials.push(denial.clone());
        denied.must_have_an_owner(now)?;
        Ok(vec![Event::Denied(denial.clone())])
    }

    /// Decides the events that end a token because another takes its place: now, or at a time until which both hold. It
    /// never gets longer to live than it had.
    pub fn replace(&self, token: &HeldToken, until: Option<Timestamp>) -> Vec<Event> {
        match until {
            None => vec![Event::TokenRevoked { token: token.token }],
            Some(until) if token.expires.is_some_and(|expires| expires <= until) => Vec::new(),
            Some(expires) => vec![Event::TokenExpirySet { token: token.token, expires }],
        }
    }

    /// A token that still lets somebody in.
    pub fn valid_token(&self, token: TokenId, now: Timestamp) -> Result<&HeldToken, Problem> {
        let held = self.tokens.iter().find(|held| held.token == token);
        let held = held.ok_or_else(|| nothing(&Revocable::Token { token }))?;
        match held.is_valid(now) {
            true => Ok(held),
            false => Err(Problem::from(Refusal::new(format!("the token `{token}` has expired")))
                .hint("issue another with `stemma token issue`")),
        }
    }

    /// What somebody may do by a token.
    fn rights(&self, token: &HeldToken) -> Rights {
        let is_theirs = |principal: &PrincipalName| *principal == token.principal;
        Rights {
            grants: self.roles.iter().filter(|role| is_theirs(&role.principal)).map(HeldRole::grant).collect(),
            denials: self.denials.iter().filter(|denial| is_theirs(&denial.principal)).cloned().collect(),
            scope: token.scope.clone(),
        }
    }

    fn must_have_an_owner(&self, now: Timestamp) -> Result<(), Problem> {
        let manages = |token: &HeldToken| self.rights(token).allow(Action::ManageRights, Place::Home);
        if self.tokens.iter().any(|token| token.is_valid(now) && manages(token)) {
            return Ok(());
        }
        let refusal = Refusal::new("nobody could manage this home any more: it is what lets its last owner in");
        Err(refusal
            .hint("make another owner, or another token of this one, with `stemma user add NAME --role owner`")
            .into())
    }
}

impl HeldRole {
    pub fn grant(&self) -> RoleGrant {
        let Self { principal: _, role, project, endpoint, edition } = self.clone();
        RoleGrant { role, project, endpoint, edition }
    }
}

impl HeldToken {
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

fn nothing(what: &Revocable) -> Problem {
    match what {
        Revocable::User { principal } => Problem::not_found(format!("`{principal}` has neither roles nor tokens here"))
            .hint("`stemma user list` lists everybody"),
        Revocable::Role { principal, role, project, endpoint } => {
            let (principal, project, endpoint) = (principal.clone(), project.clone(), endpoint.clone());
            let held = HeldRole { principal, role: *role, project, endpoint, edition: Edition::NEWEST };
            Problem::not_found(format!("{held} does not hold"))
                .hint("`stemma user list` lists everybody with their roles")
        }
        Revocable::Token { token } => {
            Problem::not_found(format!("there is no token `{token}` that holds")).hint("`stemma token list` lists them")
        }
        Revocable::Denial { denial } => {
            Problem::not_found(format!("there is no {denial}")).hint("`stemma role list` lists what is denied")
        }
    }
}

impl fmt::Display for HeldRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` as {}", self.principal, self.role)?;
        if let Some(endpoint) = &self.endpoint {
            write!(f, " of endpoint `{endpoint}`")?;
        }
        match &self.project {
            Some(project) => write!(f, " in project `{project}`"),
            None => f.write_str(" in all projects"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    const NOW: Timestamp = Timestamp(100);

    fn role(principal: &str, role: Role, project: Option<&str>) -> HeldRole {
        let project = project.map(|name| name.parse().unwrap());
        let (principal, edition) = (principal.parse().unwrap(), Edition::NEWEST);
        HeldRole { principal, role, project, endpoint: None, edition }
    }

    fn token(number: u128, principal: &str, expires: Option<i64>) -> HeldToken {
        let expires = expires.map(Timestamp);
        let (token, principal) = (TokenId::from_u128(number), principal.parse().unwrap());
        HeldToken { token, principal, label: String::new(), expires, scope: TokenScope::default() }
    }

    fn standing() -> Standing {
        Standing {
            roles: vec![
                role("olga", Role::Owner, None),
                role("eve", Role::Approver, None),
                role("eve", Role::Approver, Some("credit")),
                role("local", Role::Owner, Some("credit")),
                role("late", Role::Owner, None),
            ],
            tokens: vec![
                token(1, "olga", None),
                token(2, "eve", None),
                token(3, "eve", Some(50)),
                token(4, "local", None),
                token(5, "late", Some(100)),
            ],
            denials: Vec::new(),
            passwords: vec!["eve".parse().unwrap()],
        }
    }

    fn user(principal: &str) -> Revocable {
        Revocable::User { principal: principal.parse().unwrap() }
    }

    fn one_role(principal: &str, role: Role, project: Option<&str>) -> Revocable {
        let project = project.map(|name| name.parse().unwrap());
        Revocable::Role { principal: principal.parse().unwrap(), role, project, endpoint: None }
    }

    fn one_token(number: u128) -> Revocable {
        Revocable::Token { token: TokenId::from_u128(number) }
    }

    /// The events in short, or the kind of the problem.
    fn withdraw(standing: &Standing, what: Revocable) -> Result<Vec<String>, ErrorKind> {
        let events = standing.withdraw(&what, NOW).map_err(|problem| problem.kind)?;
        let short = |event: &Event| match event {
            Event::RoleRevoked { principal, project, role, endpoint: None } => {
                format!("{principal} {role} {}", project.as_ref().map_or("everywhere", |project| project.as_str()))
            }
            Event::TokenRevoked { token } => format!("token {}", token.as_u128()),
            other => other.kind().to_owned(),
        };
        Ok(events.iter().map(short).collect())
    }

    #[test]
    fn exactly_what_was_named_is_withdrawn() {
        let all = standing();
        for (what, expected) in [
            (
                user("eve"),
                Ok(vec!["eve approver everywhere", "eve approver credit", "token 2", "token 3", "password_removed"]),
            ),
            (
                user("EVE"),
                Ok(vec!["eve approver everywhere", "eve approver credit", "token 2", "token 3", "password_removed"]),
            ),
            (one_role("eve", Role::Approver, None), Ok(vec!["eve approver everywhere"])),
            (one_role("eve", Role::Approver, Some("credit")), Ok(vec!["eve approver credit"])),
            (one_token(2), Ok(vec!["token 2"])),
            (one_token(3), Ok(vec!["token 3"])),
            (user("nobody"), Err(ErrorKind::NotFound)),
            (one_role("eve", Role::Owner, None), Err(ErrorKind::NotFound)),
            (one_role("eve", Role::Approver, Some("other")), Err(ErrorKind::NotFound)),
            (one_token(9), Err(ErrorKind::NotFound)),
        ] {
            let expected = expected.map(|lines| lines.into_iter().map(str::to_owned).collect());
            assert_eq!(withdraw(&all, what.clone()), expected, "{what:?}");
        }
    }

    #[test]
    fn an_owner_who_can_get_in_stays() {
        for what in [user("olga"), one_role("olga", Role::Owner, None), one_token(1)] {
            // the owner of a project and one whose token has run out are none
            assert_eq!(withdraw(&standing(), what.clone()), Err(ErrorKind::Refused), "{what:?}");
            let mut more = standing();
            more.tokens.push(token(6, "late", None));
            assert!(withdraw(&more, what.clone()).is_ok(), "{what:?}");
        }
        let mut rotated = standing();
        rotated.tokens.push(token(6, "olga", None));
        assert!(withdraw(&rotated, one_token(1)).is_ok());
    }

    fn denial(principal: &str, what: &str, project: Option<&str>) -> Denial {
        let project = project.map(|name| name.parse().unwrap());
        Denial { principal: principal.parse().unwrap(), what: what.parse().unwrap(), project }
    }

    #[test]
    fn what_is_denied_leaves_an_owner_who_can_get_in() {
        let all = standing();
        for (principal, what, project, expected) in [
            ("eve", "approve", None, Ok(1)),
            ("olga", "approve", None, Ok(1)),
            // of a project, and not of the home
            ("olga", "manage_rights", Some("credit"), Ok(1)),
            ("olga", "owner", Some("credit"), Ok(1)),
            ("olga", "manage_rights", None, Err(ErrorKind::Refused)),
            ("olga", "owner", None, Err(ErrorKind::Refused)),
        ] {
            let found = all.deny(&denial(principal, what, project), NOW);
            assert_eq!(
                found.map(|events| events.len()).map_err(|problem| problem.kind),
                expected,
                "{principal} {what}"
            );
        }
        let mut denied = all.clone();
        denied.denials.push(denial("eve", "approve", None));
        assert_eq!(denied.deny(&denial("eve", "approve", None), NOW), Ok(Vec::new()));
        // an owner to whom it is denied keeps nobody's place
        let mut two = all;
        two.roles.push(role("paul", Role::Owner, None));
        two.tokens.push(token(7, "paul", None));
        two.denials.push(denial("paul", "manage_rights", None));
        assert_eq!(withdraw(&two, user("olga")), Err(ErrorKind::Refused));
        two.denials.clear();
        assert!(withdraw(&two, user("olga")).is_ok());
    }

    #[test]
    fn a_denial_is_withdrawn_as_it_was_said() {
        let mut all = standing();
        all.denials.push(denial("eve", "approve", Some("credit")));
        let withdrawn = |what: Denial| withdraw(&all, Revocable::Denial { denial: what });
        assert_eq!(withdrawn(denial("EVE", "approve", Some("credit"))), Ok(vec!["denial_withdrawn".to_owned()]));
        for other in [denial("eve", "approve", None), denial("eve", "promote", Some("credit"))] {
            assert_eq!(withdrawn(other), Err(ErrorKind::NotFound));
        }
    }

    #[test]
    fn a_narrow_token_lets_no_owner_in() {
        let mut all = standing();
        let mut narrow = token(6, "late", None);
        narrow.scope.actions = Some([Action::Read].into());
        all.tokens.push(narrow);
        assert_eq!(withdraw(&all, user("olga")), Err(ErrorKind::Refused));
        all.tokens.last_mut().unwrap().scope = TokenScope::default();
        assert!(withdraw(&all, user("olga")).is_ok());
    }

    #[test]
    fn a_token_that_is_replaced_never_lives_longer() {
        let all = standing();
        let replaced = |number, until: Option<i64>| {
            let token = all.tokens.iter().find(|held| held.token == TokenId::from_u128(number)).unwrap();
            all.replace(token, until.map(Timestamp))
        };
        let id = |number| TokenId::from_u128(number);
        assert_eq!(replaced(1, None), [Event::TokenRevoked { token: id(1) }]);
        assert_eq!(replaced(1, Some(150)), [Event::TokenExpirySet { token: id(1), expires: Timestamp(150) }]);
        assert_eq!(replaced(5, Some(100)), []);
        assert_eq!(replaced(5, Some(99)), [Event::TokenExpirySet { token: id(5), expires: Timestamp(99) }]);
        assert!(all.valid_token(id(1), NOW).is_ok());
        assert_eq!(all.valid_token(id(3), NOW).unwrap_err().kind, ErrorKind::Refused);
        assert_eq!(all.valid_token(id(9), NOW).unwrap_err().kind, ErrorKind::NotFound);
    }
}
