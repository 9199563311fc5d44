//! Revoke: a role or a token that no longer holds, from this moment on.

use stemma_api::types::Revoked;
use stemma_core::{
    Problem,
    event::Event,
    id::RequestId,
    rights::Action,
    standing::{HeldRole, HeldToken, Revocable, Standing},
};

use crate::{Caller, Engine, Known};

impl Engine {
    /// Withdraws roles and tokens. Who was let in by them is let in no more when this returns, by any door.
    pub async fn revoke(&self, caller: &Caller, request: RequestId, what: Revocable) -> Result<Revoked, Problem> {
        caller.must_be_proved("manage rights")?;
        caller.may(Action::ManageRights, None)?;
        let what = &what;
        let decide = || async move { standing(self.known()).await?.withdraw(what, self.known().now()) };
        let events = self.change(caller, request, decide).await?;
        self.reload_access().await?;
        let mut revoked = Revoked { roles: Vec::new(), tokens: Vec::new() };
        for event in events {
            match event {
                Event::RoleRevoked { principal, project, role } => {
                    revoked.roles.push(HeldRole { principal, role, project });
                }
                Event::TokenRevoked { token } => revoked.tokens.push(token),
                _ => return Err(Problem::invalid("this request id was used for something else")),
            }
        }
        Ok(revoked)
    }
}

async fn standing(known: &Known) -> Result<Standing, Problem> {
    let mut standing = Standing::default();
    for one in known.principals().await? {
        let held = |grant: stemma_api::types::Grant| HeldRole {
            principal: one.principal.clone(),
            role: grant.role,
            project: grant.project,
        };
        standing.roles.extend(one.grants.into_iter().map(held));
    }
    let tokens = known.tokens().await?.into_iter();
    standing.tokens.extend(tokens.map(|token| HeldToken {
        token: token.token,
        principal: token.principal,
        expires: token.expires,
    }));
    Ok(standing)
}
