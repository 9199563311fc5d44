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
    /// May call endpoints and send feedback, nothing else; also of one endpoint alone.
    Invoker,
    Owner,
    /// Reads everything, predictions and the ledger too, and changes nothing.
    Auditor,
    /// May bring new models and endpoints into being, beside what other roles allow.
    Creator,
}

impl Role {
    pub const ALL: [Role; 8] = [
        Role::Reader,
        Role::Contributor,
        Role::Approver,
        Role::Operator,
        Role::Invoker,
        Role::Owner,
        Role::Auditor,
        Role::Creator,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Contributor => "contributor",
            Self::Approver => "approver",
            Self::Operator => "operator",
            Self::Invoker => "invoker",
            Self::Owner => "owner",
            Self::Auditor => "auditor",
            Self::Creator => "creator",
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
            Self::Auditor => matches!(action, A::Public | A::Read | A::ReadPredictions | A::Audit),
            Self::Creator => matches!(action, A::Public | A::Create),
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

    #[test]
    fn an_auditor_reads_everything_and_changes_nothing() {
        for action in Action::ALL {
            let reads = matches!(action, Action::Public | Action::Read | Action::ReadPredictions | Action::Audit);
            assert_eq!(Role::Auditor.allows(action), reads, "{action}");
            assert!(!(Role::Auditor.allows(action) && action.changes_project()), "{action}");
        }
    }

    #[test]
    fn what_is_new_is_made_by_owners_and_creators_alone() {
        for role in Role::ALL {
            let makes = matches!(role, Role::Owner | Role::Creator);
            assert_eq!(role.allows(Action::Create), makes, "{role}");
        }
    }

    /// Denials and their withdrawal say either in one word.
    #[test]
    fn no_role_is_called_like_an_action() {
        assert!(Role::ALL.iter().all(|role| Action::parse(role.as_str()).is_none()));
    }
}
