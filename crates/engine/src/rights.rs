//! Rights: principals, their roles, and the tokens that prove who they are.

use stemma_api::types::{AddPrincipal, IssuedToken};
use stemma_core::{
    Digest, Problem, Timestamp,
    event::Event,
    id::{RequestId, TokenId},
    policy::Action,
    record::Auth,
};

use crate::{
    Caller, Engine,
    access::{NewToken, new_token},
};

const DAY_MICROS: i64 = 86_400_000_000;
/// A hundred years; longer is for ever.
const DAYS_MAX: u32 = 36_525;

impl Engine {
    /// Grants a role and issues a token for it. The token is in the answer and nowhere else.
    pub async fn add_principal(
        &self,
        caller: &Caller,
        request: RequestId,
        add: AddPrincipal,
    ) -> Result<IssuedToken, Problem> {
        if caller.actor.auth != Auth::Authenticated {
            let problem = Problem::new(stemma_core::ErrorKind::Unauthenticated, "to manage rights needs a credential");
            return Err(problem.hint("set STEMMA_TOKEN"));
        }
        caller.may(Action::ManageRights, add.project.as_ref())?;
        let known = self.principals().await?;
        let expires =
            add.expires_days.map(|days| Timestamp(self.now().micros() + i64::from(days.min(DAYS_MAX)) * DAY_MICROS));
        let token = TokenId::generate();
        let NewToken { text, hash } = new_token()?;
        let mut events = Vec::new();
        let principal = known.iter().find(|one| one.principal == add.principal);
        if principal.is_none() {
            events.push(Event::PrincipalAdded { principal: add.principal.clone() });
        }
        let has_role = principal
            .is_some_and(|one| one.grants.iter().any(|grant| grant.role == add.role && grant.project == add.project));
        if !has_role {
            let (principal, project, role) = (add.principal.clone(), add.project.clone(), add.role);
            events.push(Event::RoleGranted { principal, project, role });
        }
        events.push(Event::TokenIssued {
            token,
            principal: add.principal.clone(),
            label: add.label.clone(),
            expires,
            check: Digest::of(&hash),
        });
        self.issue_token(caller, request, events, token, hash).await?;
        self.reload_access().await?;
        Ok(IssuedToken { principal: add.principal, role: add.role, token_id: token, token: text })
    }
}
