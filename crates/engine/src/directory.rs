//! Which projects there are, in memory: asked by every request, and swapped whole with rights.

use std::collections::BTreeMap;

use stemma_api::types::Fact;
use stemma_core::{Problem, Refusal, name::ProjectName, near, rights::Action};

/// Why nothing in a project changes any more, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    pub reason: String,
    pub closed: Fact,
}

/// All projects, with why those are closed that are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    projects: BTreeMap<ProjectName, Option<Closing>>,
}

impl Directory {
    pub fn new(projects: impl IntoIterator<Item = (ProjectName, Option<Closing>)>) -> Self {
        Self { projects: projects.into_iter().collect() }
    }

    /// By name.
    pub fn names(&self) -> impl Iterator<Item = &ProjectName> {
        self.projects.keys()
    }

    pub fn closing(&self, project: &ProjectName) -> Option<&Closing> {
        self.projects.get(project)?.as_ref()
    }

    /// Refuses a project that nobody made, and says which of those that `may_see` allows have names like it.
    pub fn check_made(&self, project: &ProjectName, may_see: impl Fn(&ProjectName) -> bool) -> Result<(), Problem> {
        if self.projects.contains_key(project) {
            return Ok(());
        }
        let names = self.names().filter(|name| may_see(name)).map(ProjectName::as_str);
        let fallback = format!("`stemma project list` lists them, `stemma project create {project}` makes it");
        let hint = near::hint(project.as_str(), names, &fallback);
        Err(Problem::not_found(format!("there is no project `{project}`")).hint(hint))
    }

    /// Refuses an action that changes what a closed project holds.
    pub fn check_open(&self, project: &ProjectName, action: Action) -> Result<(), Problem> {
        match self.closing(project).filter(|_| action.changes_project()) {
            None => Ok(()),
            Some(closing) => Err(closed(project, closing)),
        }
    }
}

pub fn closed(project: &ProjectName, Closing { reason, closed }: &Closing) -> Problem {
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let message = format!("project `{project}` was closed by `{}` at {}{why}", closed.actor, closed.time);
    Refusal::new(message).hint(format!("`stemma project reopen {project}` lets it change again")).into()
}

#[cfg(test)]
mod tests {
    use stemma_core::{ErrorKind, Timestamp, record::Auth};

    use super::*;

    fn directory() -> Directory {
        let closed = Fact { seq: 7, time: Timestamp(0), actor: "olga".parse().unwrap(), auth: Auth::Authenticated };
        let closing = Closing { reason: "moved to `risk`".to_owned(), closed };
        let made = |name: &str, closing| (name.parse().unwrap(), closing);
        Directory::new([made("default", None), made("credit", Some(closing)), made("credit-limit", None)])
    }

    #[test]
    fn a_project_that_nobody_made_is_an_error_with_names_near_it() {
        let asked = |name: &str, seen: &[&str]| {
            directory().check_made(&name.parse().unwrap(), |project| seen.contains(&project.as_str()))
        };
        assert_eq!(asked("credit", &[]), Ok(()));
        let all = ["default", "credit", "credit-limit"];
        let problem = asked("credt", &all).unwrap_err();
        assert_eq!((problem.kind, problem.message.as_str()), (ErrorKind::NotFound, "there is no project `credt`"));
        assert_eq!(problem.hint.unwrap(), "did you mean `credit`?");
        // nobody learns the names of what they may not see
        let hint = asked("credt", &["default"]).unwrap_err().hint.unwrap();
        assert!(hint.contains("stemma project create credt") && !hint.contains("credit"), "{hint}");
    }

    #[test]
    fn a_closed_project_is_read_and_asked_and_does_not_change() {
        let credit: ProjectName = "credit".parse().unwrap();
        for action in Action::ALL {
            assert_eq!(directory().check_open(&credit, action).is_err(), action.changes_project(), "{action}");
            assert!(directory().check_open(&ProjectName::default_project(), action).is_ok());
        }
        let problem = directory().check_open(&credit, Action::Track).unwrap_err();
        assert_eq!(problem.kind, ErrorKind::Refused);
        assert!(problem.message.contains("closed by `olga`") && problem.message.ends_with("moved to `risk`"));
        assert!(problem.hint.unwrap().contains("`stemma project reopen credit`"));
        for action in [Action::Read, Action::Invoke, Action::Feedback, Action::ManageRights] {
            assert!(!action.changes_project(), "{action}");
        }
    }
}
