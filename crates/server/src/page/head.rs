//! What stands above every page: the project that it is in, and the way to others.

use stemma_core::{ErrorKind, Problem, name::ProjectName, near};
use stemma_engine::{Caller, Known};

/// The head of a page.
#[derive(Default)]
pub struct Head {
    /// Absent on a page of the whole home, if there are several projects to go on to.
    pub project: Option<ProjectName>,
    /// Those that the caller may read.
    pub projects: Vec<ProjectName>,
}

impl Head {
    /// Of a page in a project. One that the caller may not read has been refused by now; one that nothing and nobody is
    /// in does not exist.
    pub async fn in_project(known: &Known, caller: &Caller, project: &ProjectName) -> Result<Self, Problem> {
        let projects = known.readable_projects(caller).await?;
        if !projects.contains(project) {
            let problem = Problem::not_found(format!("there is no project `{project}`"));
            let names = projects.iter().map(ProjectName::as_str);
            return Err(problem.hint(near::hint(
                project.as_str(),
                names,
                "a project begins with the first thing in it",
            )));
        }
        Ok(Self { project: Some(project.clone()), projects })
    }

    /// Of a page that shows something of the whole home.
    pub async fn of_home(known: &Known, caller: &Caller) -> Result<Self, Problem> {
        let projects = known.readable_projects(caller).await?;
        let project = match projects.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        };
        Ok(Self { project, projects })
    }

    /// Of a page that says what went wrong. It shows what the address says, and nothing that would have to be looked up.
    pub fn of_problem(problem: &Problem, project: Option<ProjectName>) -> Self {
        let is_inside = !matches!(problem.kind, ErrorKind::Forbidden | ErrorKind::Unauthenticated);
        Self { project: project.filter(|_| is_inside), projects: Vec::new() }
    }

    pub fn is_in(&self, project: &ProjectName) -> bool {
        self.project.as_ref() == Some(project)
    }
}

/// Where a caller begins who asks for no project: the default one, else the first that they may read.
pub async fn first_project(known: &Known, caller: &Caller) -> Result<ProjectName, Problem> {
    let projects = known.readable_projects(caller).await?;
    let default = ProjectName::default_project();
    let chosen = if projects.contains(&default) { Some(default) } else { projects.into_iter().next() };
    chosen.ok_or_else(|| Problem::not_found("there is no project that you may read"))
}
