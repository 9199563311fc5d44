//! Revoke: a role or a token that no longer holds, from this moment on.

use stemma_api::types::Revoked;
use stemma_core::{
    Problem,
    event::Event,
    id::RequestId,
    rights::{Action, Edition},
    standing::{HeldRole, Revocable},
};

use crate::{Caller, Engine};

impl Engine {
    /// Withdraws roles and tokens. Who was let in by them is let in no more when this returns, by any door.
    pub async fn revoke(&self, caller: &Caller, request: RequestId, what: Revocable) -> Result<Revoked, Problem> {
        caller.must_be_proved("manage rights")?;
        caller.may(Action::ManageRights, None)?;
        let what = &what;
        let decide = || async move { self.known().standing().await?.withdraw(what, self.known().now()) };
        let events = self.change(caller, request, decide).await?;
        self.reload_access().await?;
        let mut revoked = Revoked::default();
        for event in events {
            match event {
                Event::RoleRevoked { principal, project, role, endpoint } => {
                    revoked.roles.push(HeldRole { principal, role, project, endpoint, edition: Edition::NEWEST });
                }
                Event::TokenRevoked { token } => revoked.tokens.push(token),
                Event::PasswordRemoved { principal } => revoked.passwords.push(principal),
                Event::DenialWithdrawn(denial) => revoked.denials.push(denial),
                _ => return Err(Problem::invalid("this request id was used for something else")),
            }
        }
        Ok(revoked)
    }
}
