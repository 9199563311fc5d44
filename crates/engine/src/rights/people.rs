//! Rights: principals, their roles, and the tokens that prove who they are.

use stemma_api::types::{AddPrincipal, IssuedToken, Principal};
use stemma_core::{
    Digest, ErrorKind, Problem, Timestamp,
    event::Event,
    id::{RequestId, TokenId},
    name::{PrincipalName, ProjectName},
    rights::Action,
};

use crate::{
    Caller, Engine, Known,
    access::{NewToken, new_token},
};

const DAY_MICROS: i64 = 86_400_000_000;
/// A hundred years; longer is for ever.
const DAYS_MAX: u32 = 36_525;

impl Known {
    /// The projects that a caller may read, sorted; of others nobody learns that they exist.
    pub async fn readable_projects(&self, caller: &Caller) -> Result<Vec<ProjectName>, Problem> {
        let mut projects = self.projects().await?;
        projects.retain(|project| caller.may(Action::Read, Some(project)).is_ok());
        Ok(projects)
    }
}

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
        let expires = add
            .expires_days
            .map(|days| Timestamp(self.known().now().micros() + i64::from(days.min(DAYS_MAX)) * DAY_MICROS));
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
            });
            Ok(events)
        };
        self.issue_token(caller, request, (token, hash), decide).await?;
        self.reload_access().await?;
        Ok(IssuedToken { principal: add.principal.clone(), role: add.role, token_id: token, token: text })
    }

    /// What somebody is not known by, or may not do, yet.
    async fn missing_grants(&self, add: &AddPrincipal) -> Result<Vec<Event>, Problem> {
        let known = self.known().principals().await?;
        check_name(&add.principal, &known)?;
        let principal = known.iter().find(|one| one.principal == add.principal);
        let mut events = Vec::new();
        if principal.is_none() {
            events.push(Event::PrincipalAdded { principal: add.principal.clone() });
        }
        let has_role = principal
            .is_some_and(|one| one.grants.iter().any(|grant| grant.role == add.role && grant.project == add.project));
        if !has_role {
            let (principal, project, role) = (add.principal.clone(), add.project.clone(), add.role);
            events.push(Event::RoleGranted { principal, project, role });
        }
        Ok(events)
    }
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
