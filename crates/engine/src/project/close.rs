//! Close and reopen: a project in which nothing changes for a while, or for good.

use stemma_api::types::Project;
use stemma_core::{ErrorKind, Problem, event::Event, id::RequestId, name::ProjectName, rights::Action};

use crate::{Caller, Engine};

impl Engine {
    /// Lets nothing in a project change any more. It is still read, and what is deployed answers.
    pub async fn close_project(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        reason: &str,
    ) -> Result<Project, Problem> {
        caller.must_be_proved("close a project")?;
        caller.may(Action::ManageRights, Some(project))?;
        let decide = || async move {
            match self.known().closing(project).await? {
                Some(_) => Err(Problem::new(ErrorKind::Conflict, format!("project `{project}` is closed already"))),
                None => Ok(vec![Event::ProjectClosed { project: project.clone(), reason: reason.to_owned() }]),
            }
        };
        self.change_project(caller, request, project, decide).await
    }

    /// Lets a closed project change again.
    pub async fn reopen_project(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        reason: &str,
    ) -> Result<Project, Problem> {
        caller.must_be_proved("reopen a project")?;
        caller.may(Action::ManageRights, Some(project))?;
        let decide = || async move {
            match self.known().closing(project).await? {
                Some(_) => Ok(vec![Event::ProjectReopened { project: project.clone(), reason: reason.to_owned() }]),
                None => Err(Problem::new(ErrorKind::Conflict, format!("project `{project}` is open"))),
            }
        };
        self.change_project(caller, request, project, decide).await
    }

    async fn change_project<D>(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        decide: impl Fn() -> D + Send + Sync,
    ) -> Result<Project, Problem>
    where
        D: Future<Output = Result<Vec<Event>, Problem>> + Send,
    {
        self.known().check_made(caller, project)?;
        self.change(caller, request, decide).await?;
        self.reload_access().await?;
        self.known().project(project).await
    }
}
