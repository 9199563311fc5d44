//! Which project an event changes.

use super::Event;
use crate::name::ProjectName;

impl Event {
    /// The project whose things it changes, which must be open for it; none of what a closed project lets happen: rights are
    /// given and taken, content is removed for good, and what was answered is sealed.
    pub const fn changes_project(&self) -> Option<&ProjectName> {
        match self {
            Self::ProjectCreated { .. }
            | Self::ProjectClosed { .. }
            | Self::ProjectReopened { .. }
            | Self::RoleGranted { .. }
            | Self::RoleRevoked { .. }
            | Self::Denied(_)
            | Self::DenialWithdrawn(_)
            | Self::ContentPurged { .. }
            | Self::SegmentSealed(_)
            | Self::FeedbackSealed(_) => None,
            _ => self.project(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_in_a_project_changes_it_and_rights_do_not() {
        let project = ProjectName::default_project();
        let made = Event::ModelCreated { project: project.clone(), model: "m".parse().unwrap() };
        assert_eq!(made.changes_project(), Some(&project));
        let reason = String::new();
        for event in [
            Event::ProjectReopened { project: project.clone(), reason: reason.clone() },
            Event::ContentPurged { project, digest: crate::Digest::of(b""), reason },
        ] {
            assert_eq!(event.changes_project(), None, "{}", event.kind());
        }
    }
}
