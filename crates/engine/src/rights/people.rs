//! Rights: principals, their roles, and the tokens that prove who they are.

use stemma_api::types::{AddPrincipal, Grant, IssuedToken, Principal};
use stemma_core::{
    Digest, ErrorKind, Problem, Timestamp,
    event::Event,
    id::{RequestId, TokenId},
    name::PrincipalName,
    rights::{Action, RoleGrant, TokenScope},
};
use stemma_ledger::Secret;

use crate::{
    Caller, Engine, Known,
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
        caller.must_be_proved("manage rights")?;
        caller.may(Action::ManageRights, add.project.as_ref())?;
        if let Some(project) = &add.project {
            self.known().check_made(caller, project)?;
        }
        let expires = add.expires_days.map(|days| in_days(self.known().now(), days));
        let token = TokenId::generate();
        let NewToken { text, hash } = new_token()?;
        let add = &add;
        let decide = || async move {
            let mut events = self.missing_grants(add).await?;
            events.push(Event::TokenIssued {
                token,
                principal: add.principal.clone(),
                label: add.label.clone(),
                expires,
                check: Digest::of(&hash),
                scope: TokenScope::default(),
                replaces: None,
            });
            Ok(events)
        };
        self.change_with_secret(caller, request, Secret::Token(token, hash), decide).await?;
        self.reload_access().await?;
        Ok(IssuedToken { principal: add.principal.clone(), role: add.role, token_id: token, token: text })
    }

    async fn missing_grants(&self, add: &AddPrincipal) -> Result<Vec<Event>, Problem> {
        let (role, project) = (add.role, add.project.clone());
        missing(self.known(), &add.principal, &RoleGrant::new(role, project)).await
    }
}

/// What somebody is not known by, or may not do, yet.
pub(super) async fn missing(
    known: &Known,
    principal: &PrincipalName,
    grant: &RoleGrant,
) -> Result<Vec<Event>, Problem> {
    let all = known.principals().await?;
    check_name(principal, &all)?;
    let known = all.iter().find(|one| one.principal == *principal);
    let mut events = Vec::new();
    if known.is_none() {
        events.push(Event::PrincipalAdded { principal: principal.clone() });
    }
    let is_same =
        |held: &Grant| (held.role, &held.project, &held.endpoint) == (grant.role, &grant.project, &grant.endpoint);
    if !known.is_some_and(|one| one.grants.iter().any(is_same)) {
        let RoleGrant { role, project, endpoint, edition } = grant.clone();
        events.push(Event::RoleGranted { principal: principal.clone(), project, role, endpoint, edition });
    }
    Ok(events)
}

/// So many days from now.
pub(super) fn in_days(now: Timestamp, days: u32) -> Timestamp {
    Timestamp(now.micros().saturating_add(i64::from(days.min(DAYS_MAX)) * DAY_MICROS))
}

/// Nobody gets a second name by spelling the first another way: then four eyes could be two.
fn check_name(name: &PrincipalName, known: &[Principal]) -> Result<(), Problem> {
    if name.is_reserved() {
        let problem = Problem::invalid(format!("`{name}` stands for nobody in particular"));
        return Err(problem.hint("give the person or service a name of its own"));
    }
    let other = known.iter().find(|one| one.principal != *name && one.principal.is_same_person(name));
    match other {
        None => Ok(()),
        Some(other) => {
            let message = format!("`{name}` is `{}` in another spelling", other.principal);
            Err(Problem::new(ErrorKind::Conflict, message).hint("use the name that is known here"))
        }
    }
}
