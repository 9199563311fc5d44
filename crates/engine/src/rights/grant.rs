//! Grant: a role that somebody holds from this moment on, with the tokens that they have.

use stemma_api::types::{GrantRole, Principal};
use stemma_core::{
    Problem,
    id::RequestId,
    rights::{Action, Role, RoleGrant},
};

use super::people::missing;
use crate::{Caller, Engine};

impl Engine {
    /// Grants a role, in a project, in all, or of one endpoint of a project; nothing if it is held already.
    pub async fn grant_role(
        &self,
        caller: &Caller,
        request: RequestId,
        grant: GrantRole,
    ) -> Result<Principal, Problem> {
        caller.must_be_proved("manage rights")?;
        caller.may(Action::ManageRights, grant.project.as_ref())?;
        let GrantRole { principal, role, project, endpoint } = grant;
        if let Some(project) = &project {
            self.known().check_made(caller, project)?;
        }
        let grant = RoleGrant { endpoint, ..RoleGrant::new(role, project) };
        self.check_endpoint(&grant).await?;
        let (principal, grant) = (&principal, &grant);
        let decide = || async move { missing(self.known(), principal, grant).await };
        self.change(caller, request, decide).await?;
        self.reload_access().await?;
        self.known().principal(principal).await
    }

    async fn check_endpoint(&self, grant: &RoleGrant) -> Result<(), Problem> {
        let Some(endpoint) = &grant.endpoint else { return Ok(()) };
        if grant.role != Role::Invoker {
            let message = format!("the role `{}` is not of one endpoint alone", grant.role);
            return Err(Problem::invalid(message).hint("`invoker` is; others hold in a project or in all"));
        }
        let project = grant.project.as_ref();
        let project = project.ok_or_else(|| Problem::invalid("name the project that the endpoint is in"))?;
        self.known().found_endpoint(project, endpoint).await.map(drop)
    }
}
