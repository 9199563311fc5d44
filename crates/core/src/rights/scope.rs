//! What a token reaches of what its holder may do.

use std::{collections::BTreeSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{action::Action, place::Place};
use crate::{
    Problem,
    name::{EndpointName, ProjectName},
};

/// Most projects, and most endpoints, that a token names.
pub const SCOPE_NAMES_MAX: usize = 100;

/// What a token reaches: all that its holder may do, but for what is said here. It narrows and never adds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenScope {
    /// Only these projects, and nothing of the whole home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projects: Option<BTreeSet<ProjectName>>,
    /// Only these endpoints, each in one of the projects, and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<BTreeSet<EndpointName>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<BTreeSet<Action>>,
}

impl TokenScope {
    /// Whether it narrows nothing.
    pub const fn is_whole(&self) -> bool {
        self.projects.is_none() && self.endpoints.is_none() && self.actions.is_none()
    }

    /// Refuses what a token can't be issued with.
    pub fn check(&self) -> Result<(), Problem> {
        let sizes = [
            ("projects", self.projects.as_ref().map(BTreeSet::len)),
            ("endpoints", self.endpoints.as_ref().map(BTreeSet::len)),
            ("actions", self.actions.as_ref().map(BTreeSet::len)),
        ];
        for (what, size) in sizes {
            match size {
                Some(0) => {
                    let problem = Problem::invalid(format!("the token's {what} are none: nobody could use it"));
                    return Err(problem.hint(format!("leave `{what}` out, or name some")));
                }
                Some(size) if size > SCOPE_NAMES_MAX => {
                    let message = format!("the token names {size} {what}; at most {SCOPE_NAMES_MAX} are possible");
                    return Err(Problem::invalid(message));
                }
                _ => {}
            }
        }
        if self.endpoints.is_some() && self.projects.is_none() {
            return Err(Problem::invalid("the token names endpoints, and not the projects that they are in"));
        }
        Ok(())
    }

    pub fn reaches(&self, action: Action, place: Place<'_>) -> bool {
        let among = |names: &Option<BTreeSet<ProjectName>>| {
            names.as_ref().is_none_or(|names| place.project().is_some_and(|project| names.contains(project)))
        };
        let endpoints = self.endpoints.as_ref();
        among(&self.projects)
            && endpoints.is_none_or(|names| place.endpoint().is_some_and(|endpoint| names.contains(endpoint)))
            && self.actions.as_ref().is_none_or(|actions| actions.contains(&action))
    }
}

/// `read, invoke; projects credit; endpoints score`, or `everything`.
impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn listed<T: ToString>(names: &BTreeSet<T>) -> String {
            names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        let parts = [
            self.actions.as_ref().map(listed),
            self.projects.as_ref().map(|names| format!("projects {}", listed(names))),
            self.endpoints.as_ref().map(|names| format!("endpoints {}", listed(names))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "everything" } else { "" })?;
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_can_not_be_issued_with() {
        let scope = |json: serde_json::Value| serde_json::from_value::<TokenScope>(json).unwrap();
        let many: Vec<String> = (0..=SCOPE_NAMES_MAX).map(|n| format!("p{n}")).collect();
        for (json, expected) in [
            (serde_json::json!({}), None),
            (serde_json::json!({ "projects": ["a"], "endpoints": ["e"], "actions": ["invoke"] }), None),
            (serde_json::json!({ "actions": [] }), Some("actions are none")),
            (serde_json::json!({ "projects": many }), Some("101 projects")),
            (serde_json::json!({ "endpoints": ["e"] }), Some("not the projects")),
        ] {
            let found = scope(json.clone()).check().err().map(|problem| problem.message);
            assert_eq!(found.is_some(), expected.is_some(), "{json}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{json}");
        }
        // nobody is let in by a word that this program does not know
        assert!(serde_json::from_value::<TokenScope>(serde_json::json!({ "hours": 3 })).is_err());
    }

    #[test]
    fn it_is_told_in_words() {
        let scope: TokenScope =
            serde_json::from_str(r#"{"projects":["b","a"],"endpoints":["e"],"actions":["invoke"]}"#).unwrap();
        assert_eq!(scope.to_string(), "invoke; projects a, b; endpoints e");
        assert_eq!(TokenScope::default().to_string(), "everything");
    }
}
