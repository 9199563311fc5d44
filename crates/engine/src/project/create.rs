//! Create: a project that things can be put into.

use stemma_api::types::Project;
use stemma_core::{ErrorKind, Problem, event::Event, id::RequestId, name::ProjectName, rights::Action};

use crate::{Caller, Engine};

impl Engine {
    /// Makes a project. It needs a credential, also where others are not asked for one: whose project it is stays known.
    pub async fn create_project(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
    ) -> Result<Project, Problem> {
        caller.must_be_proved("make a project")?;
        caller.may(Action::Create, None)?;
        let decide = || async move {
            let is_made = self.known().is_made(project).await?;
            match is_made || self.known().projects().contains(project) {
                true => Err(Problem::new(ErrorKind::Conflict, format!("there is a project `{project}` already"))),
                false => Ok(vec![Event::ProjectCreated { project: project.clone() }]),
            }
        };
        self.change(caller, request, decide).await?;
        self.reload_access().await?;
        self.known().project(project).await
    }
}
