//! Roles: named sets of rights.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::Action;

/// A named set of rights within a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Reader,
    /// Tracks, registers, predicts. Also what an uncredentialed caller on a loopback address may do.
    Contributor,
    Approver,
    Operator,
    /// May call endpoints and send feedback, nothing else.
    Invoker,
    Owner,
}

impl Role {
    pub const ALL: [Role; 6] =
        [Role::Reader, Role::Contributor, Role::Approver, Role::Operator, Role::Invoker, Role::Owner];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Contributor => "contributor",
            Self::Approver => "approver",
            Self::Operator => "operator",
            Self::Invoker => "invoker",
            Self::Owner => "owner",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    pub const fn allows(self, action: Action) -> bool {
        use Action as A;
        match self {
            Self::Owner => true,
            Self::Reader => matches!(action, A::Public | A::Read | A::Audit),
            Self::Invoker => matches!(action, A::Public | A::Invoke | A::Feedback),
            Self::Contributor => matches!(
                action,
                A::Public
                    | A::Read
                    | A::Track
                    | A::Register
                    | A::Invoke
                    | A::Feedback
                    | A::Report
                    | A::ReadPredictions
                    | A::Audit
            ),
            Self::Approver => {
                matches!(action, A::Public | A::Read | A::Track | A::Approve | A::ReadPredictions | A::Audit)
            }
            Self::Operator => matches!(
                action,
                A::Public
                    | A::Read
                    | A::Track
                    | A::Promote
                    | A::Deploy
                    | A::Invoke
                    | A::Feedback
                    | A::Report
                    | A::ReadPredictions
                    | A::Audit
            ),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contributors_never_hold_what_needs_a_credential() {
        for action in [Action::Approve, Action::Promote, Action::SetPolicy, Action::ManageRights, Action::Deploy] {
            assert!(!Role::Contributor.allows(action), "{action}");
        }
        for action in Action::ALL {
            assert!(Role::Owner.allows(action));
        }
    }
}
