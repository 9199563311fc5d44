//! What is denied to somebody, whatever their roles are.

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{action::Action, grant::RoleGrant, place::Place, role::Role};
use crate::{
    Problem,
    name::{PrincipalName, ProjectName},
    near,
};

/// What can be denied, in one word: no role is called like an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deniable {
    /// No role lets them do it.
    Action(Action),
    /// It gives them nothing, whoever grants it.
    Role(Role),
}

impl Deniable {
    /// Everything that can be denied, by its word.
    pub fn words() -> impl Iterator<Item = &'static str> {
        let actions = Action::ALL.into_iter().filter(|action| *action != Action::Public).map(Action::as_str);
        actions.chain(Role::ALL.into_iter().map(Role::as_str))
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Action(action) => action.as_str(),
            Self::Role(role) => role.as_str(),
        }
    }
}

impl FromStr for Deniable {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        // what is public is not asked for a right
        let action = Action::parse(text).filter(|action| *action != Action::Public).map(Self::Action);
        action.or_else(|| Role::parse(text).map(Self::Role)).ok_or_else(|| {
            let words = Self::words().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
            Problem::invalid(format!("`{text}` is neither an action nor a role")).hint(near::hint(
                text,
                Self::words(),
                &format!("there are {words}"),
            ))
        })
    }
}

impl fmt::Display for Deniable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Deniable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Deniable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|problem: Problem| serde::de::Error::custom(problem.message))
    }
}

impl JsonSchema for Deniable {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Deniable".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = Self::words().collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

/// What somebody may not do, in one project or (`None`) anywhere. It wins over every role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Denial {
    pub principal: PrincipalName,
    pub what: Deniable,
    #[serde(default)]
    pub project: Option<ProjectName>,
}

impl Denial {
    /// Whether it holds there; what is denied in one project is not denied of the whole home.
    pub fn reaches(&self, place: Place<'_>) -> bool {
        self.project.is_none() || self.project.as_ref() == place.project()
    }

    pub fn forbids(&self, action: Action, place: Place<'_>) -> bool {
        self.what == Deniable::Action(action) && self.reaches(place)
    }

    /// Whether it takes a role's worth away there.
    pub fn voids(&self, grant: &RoleGrant, place: Place<'_>) -> bool {
        self.what == Deniable::Role(grant.role) && self.reaches(place)
    }
}

/// `approve denied to eve in project credit`.
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` denied to `{}`", self.what, self.principal)?;
        match &self.project {
            Some(project) => write!(f, " in project `{project}`"),
            None => f.write_str(" in all projects"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_an_action_or_a_role() {
        assert_eq!("approve".parse(), Ok(Deniable::Action(Action::Approve)));
        assert_eq!("approver".parse(), Ok(Deniable::Role(Role::Approver)));
        for word in Deniable::words() {
            let denied: Deniable = word.parse().unwrap();
            let json = serde_json::to_string(&denied).unwrap();
            assert_eq!(json, format!("\"{word}\""));
            assert_eq!(serde_json::from_str::<Deniable>(&json).unwrap(), denied);
        }
        let problem = "aprove".parse::<Deniable>().unwrap_err();
        assert!(problem.hint.unwrap().contains("`approve`"));
        assert!("public".parse::<Deniable>().is_err());
    }
}
