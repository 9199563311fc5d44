//! Deny: what somebody may not do from this moment on, whatever they are granted.

use stemma_api::types::Principal;
use stemma_core::{
    Problem,
    id::RequestId,
    rights::{Action, Denial},
};

use crate::{Caller, Engine};

impl Engine {
    /// Denies an action or a role to somebody who is known here; nothing if it is denied already.
    pub async fn deny(&self, caller: &Caller, request: RequestId, denial: Denial) -> Result<Principal, Problem> {
        caller.must_be_proved("manage rights")?;
        caller.may(Action::ManageRights, denial.project.as_ref())?;
        if let Some(project) = &denial.project {
            self.known().check_made(caller, project)?;
        }
        let denial = &denial;
        let decide = || async move {
            self.known().principal(&denial.principal).await?;
            self.known().standing().await?.deny(denial, self.known().now())
        };
        self.change(caller, request, decide).await?;
        self.reload_access().await?;
        self.known().principal(&denial.principal).await
    }
}
