//! Which roles and tokens hold, and how they are withdrawn. A home always keeps an owner who can get in.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Problem, Refusal, Timestamp,
    event::Event,
    id::TokenId,
    name::{PrincipalName, ProjectName},
    rights::Role,
};

/// A role that somebody holds, in one project or (`None`) in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldRole {
    pub principal: PrincipalName,
    pub role: Role,
    #[serde(default)]
    pub project: Option<ProjectName>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldToken {
    pub token: TokenId,
    pub principal: PrincipalName,
    pub expires: Option<Timestamp>,
}

/// What can be withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Revocable {
    /// All roles and all tokens of somebody.
    User {
        principal: PrincipalName,
    },
    Role {
        principal: PrincipalName,
        role: Role,
        #[serde(default)]
        project: Option<ProjectName>,
    },
    Token {
        token: TokenId,
    },
}

/// All that holds now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    pub roles: Vec<HeldRole>,
    pub tokens: Vec<HeldToken>,
}

impl Standing {
    /// Decides the events that withdraw something. What does not hold can't be withdrawn, and neither can what lets the
    /// last owner in.
    pub fn withdraw(&self, what: &Revocable, now: Timestamp) -> Result<Vec<Event>, Problem> {
        let is_meant = |role: &&HeldRole| match what {
            Revocable::User { principal } => role.principal.is_same_person(principal),
            Revocable::Role { principal, role: meant, project } => {
                role.principal.is_same_person(principal) && role.role == *meant && role.project == *project
            }
            Revocable::Token { .. } => false,
        };
        let is_meant_token = |token: &&HeldToken| match what {
            Revocable::User { principal } => token.principal.is_same_person(principal),
            Revocable::Role { .. } => false,
            Revocable::Token { token: meant } => token.token == *meant,
        };
        let (roles, kept_roles): (Vec<_>, Vec<_>) = self.roles.iter().partition(is_meant);
        let (tokens, kept_tokens): (Vec<_>, Vec<_>) = self.tokens.iter().partition(is_meant_token);
        if roles.is_empty() && tokens.is_empty() {
            return Err(nothing(what));
        }
        let has_owner = kept_tokens.iter().any(|token| {
            let is_owner = |role: &&HeldRole| {
                role.principal == token.principal && role.role == Role::Owner && role.project.is_none()
            };
            token.is_valid(now) && kept_roles.iter().any(is_owner)
        });
        if !has_owner {
            let refusal = Refusal::new("nobody could manage this home any more: it is what lets its last owner in");
            return Err(refusal
                .hint("make another owner, or another token of this one, with `stemma user add NAME --role owner`")
                .into());
        }
        let roles = roles.into_iter().map(|held| {
            let HeldRole { principal, role, project } = held.clone();
            Event::RoleRevoked { principal, project, role }
        });
        Ok(roles.chain(tokens.into_iter().map(|held| Event::TokenRevoked { token: held.token })).collect())
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
        Revocable::Role { principal, role, project } => {
            let held = HeldRole { principal: principal.clone(), role: *role, project: project.clone() };
            Problem::not_found(format!("{held} does not hold"))
                .hint("`stemma user list` lists everybody with their roles")
        }
        Revocable::Token { token } => {
            Problem::not_found(format!("there is no token `{token}` that holds")).hint("`stemma token list` lists them")
        }
    }
}

impl fmt::Display for HeldRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` as {}", self.principal, self.role)?;
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
        HeldRole { principal: principal.parse().unwrap(), role, project: project.map(|name| name.parse().unwrap()) }
    }

    fn token(number: u128, principal: &str, expires: Option<i64>) -> HeldToken {
        let expires = expires.map(Timestamp);
        HeldToken { token: TokenId::from_u128(number), principal: principal.parse().unwrap(), expires }
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
        }
    }

    fn user(principal: &str) -> Revocable {
        Revocable::User { principal: principal.parse().unwrap() }
    }

    fn one_role(principal: &str, role: Role, project: Option<&str>) -> Revocable {
        let project = project.map(|name| name.parse().unwrap());
        Revocable::Role { principal: principal.parse().unwrap(), role, project }
    }

    fn one_token(number: u128) -> Revocable {
        Revocable::Token { token: TokenId::from_u128(number) }
    }

    /// The events in short, or the kind of the problem.
    fn withdraw(standing: &Standing, what: Revocable) -> Result<Vec<String>, ErrorKind> {
        let events = standing.withdraw(&what, NOW).map_err(|problem| problem.kind)?;
        let short = |event: &Event| match event {
            Event::RoleRevoked { principal, project, role } => {
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
            (user("eve"), Ok(vec!["eve approver everywhere", "eve approver credit", "token 2", "token 3"])),
            (user("EVE"), Ok(vec!["eve approver everywhere", "eve approver credit", "token 2", "token 3"])),
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
}
