//! A role that somebody holds, and where.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{action::Action, place::Place, role::Role};
use crate::name::{EndpointName, ProjectName};

/// What a role stood for when it was granted. Roles are kept by their names, so that what one allows may change only
/// together with this: nobody loses by an update what they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u8", into = "u8")]
#[schemars(with = "u8")]
pub enum Edition {
    /// Contributors and operators could also make models and endpoints.
    #[default]
    First,
    /// That is a right of its own.
    Second,
}

impl Edition {
    pub const NEWEST: Self = Self::Second;

    pub const fn is_first(&self) -> bool {
        matches!(self, Self::First)
    }

    pub const fn number(self) -> u8 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }
}

impl From<Edition> for u8 {
    fn from(edition: Edition) -> Self {
        edition.number()
    }
}

impl TryFrom<u8> for Edition {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        [Self::First, Self::Second]
            .into_iter()
            .find(|edition| edition.number() == number)
            .ok_or_else(|| format!("there is no edition {number} of roles"))
    }
}

/// A role in one project, in all, or of one endpoint alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleGrant {
    pub role: Role,
    pub project: Option<ProjectName>,
    /// Only with a project.
    pub endpoint: Option<EndpointName>,
    pub edition: Edition,
}

impl RoleGrant {
    /// A role as it is granted now, in a project or in all.
    pub const fn new(role: Role, project: Option<ProjectName>) -> Self {
        Self { role, project, endpoint: None, edition: Edition::NEWEST }
    }

    pub const fn allows(&self, action: Action) -> bool {
        self.role.allows(action) || (self.makes_things_too() && matches!(action, Action::Create))
    }

    /// Whether it also makes models and endpoints, as it did when it was granted.
    const fn makes_things_too(&self) -> bool {
        self.edition.is_first() && matches!(self.role, Role::Contributor | Role::Operator)
    }

    /// Whether it holds there. A role of one endpoint reaches nothing else of its project.
    pub fn reaches(&self, place: Place<'_>) -> bool {
        let in_project = self.project.is_none() || self.project.as_ref() == place.project();
        in_project && (self.endpoint.is_none() || self.endpoint.as_ref() == place.endpoint())
    }
}

/// `contributor in credit`, `invoker of score in credit`, `owner`, `operator with create` of one that was granted before.
impl fmt::Display for RoleGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.role)?;
        if self.makes_things_too() {
            write!(f, " with {}", Action::Create)?;
        }
        if let Some(endpoint) = &self.endpoint {
            write!(f, " of {endpoint}")?;
        }
        match &self.project {
            Some(project) => write!(f, " in {project}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_a_contributor_or_operator_before_still_makes_models_and_endpoints() {
        for role in Role::ALL {
            for action in Action::ALL {
                let now = RoleGrant::new(role, None);
                let before = RoleGrant { edition: Edition::First, ..now.clone() };
                assert_eq!(now.allows(action), role.allows(action), "{role} {action}");
                let more = action == Action::Create && matches!(role, Role::Contributor | Role::Operator);
                assert_eq!(before.allows(action), role.allows(action) || more, "{role} {action}");
            }
        }
    }

    #[test]
    fn an_edition_that_nobody_knows_is_an_error() {
        assert_eq!(serde_json::from_str::<Edition>("2").unwrap(), Edition::Second);
        assert_eq!(serde_json::to_string(&Edition::First).unwrap(), "1");
        assert!(serde_json::from_str::<Edition>("3").is_err());
    }
}
