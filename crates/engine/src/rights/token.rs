//! Tokens: issued for somebody who is known, and exchanged for others.

use stemma_api::types::{IssueToken, NewToken, ReplacedToken, RotateToken};
use stemma_core::{
    Digest, Problem, Timestamp,
    event::Event,
    id::{RequestId, TokenId},
    name::ProjectName,
    rights::{Action, TokenScope},
    standing::HeldToken,
};
use stemma_ledger::Secret;

use super::people::in_days;
use crate::{Caller, Engine, access::new_token};

const HOUR_MICROS: i64 = 3_600_000_000;
/// Longest time for which a token that was replaced still holds: 90 days.
const GRACE_HOURS_MAX: u32 = 2160;

impl Engine {
    /// Issues a token that reaches all or some of what its holder may do, now and later. It is in the answer and nowhere
    /// else.
    pub async fn issue(&self, caller: &Caller, request: RequestId, issue: IssueToken) -> Result<NewToken, Problem> {
        caller.must_be_proved("manage rights")?;
        caller.may(Action::ManageRights, None)?;
        issue.scope.check()?;
        self.check_scope(caller, &issue.scope).await?;
        let IssueToken { principal, label, expires_days, scope } = issue;
        let expires = expires_days.map(|days| in_days(self.known().now(), days));
        let (token, new) = (TokenId::generate(), new_token()?);
        let held = HeldToken { token, principal, label, expires, scope };
        let (issued, hash) = (&held, new.hash);
        let decide = || async move {
            self.known().principal(&issued.principal).await?;
            Ok(vec![issuing(issued, hash, None)])
        };
        self.change_with_secret(caller, request, Secret::Token(token, hash), decide).await?;
        self.reload_access().await?;
        Ok(told(held, new.text, None))
    }

    /// Issues a token in the place of another, with the same scope and for as long, and ends that one: at once, or after
    /// some hours.
    pub async fn rotate(&self, caller: &Caller, request: RequestId, rotate: RotateToken) -> Result<NewToken, Problem> {
        caller.must_be_proved("manage rights")?;
        caller.may(Action::ManageRights, None)?;
        let RotateToken { token: old, grace_hours } = rotate;
        if grace_hours.is_some_and(|hours| hours > GRACE_HOURS_MAX) {
            let message = format!("a token that is replaced holds for {GRACE_HOURS_MAX} hours at most");
            return Err(Problem::invalid(message));
        }
        let now = self.known().now();
        let until = grace_hours.map(|hours| Timestamp(now.micros() + i64::from(hours) * HOUR_MICROS));
        let lifetime = self.lifetime(old).await?;
        let expires = lifetime.map(|lifetime| Timestamp(now.micros().saturating_add(lifetime)));
        let (token, new) = (TokenId::generate(), new_token()?);
        let hash = new.hash;
        let decide = || async move {
            let standing = self.known().standing().await?;
            let replaced = standing.valid_token(old, now)?;
            let mut events = vec![issuing(&HeldToken { token, expires, ..replaced.clone() }, hash, Some(old))];
            events.extend(standing.replace(replaced, until));
            Ok(events)
        };
        let replaced = self.known().standing().await?.valid_token(old, now)?.clone();
        self.change_with_secret(caller, request, Secret::Token(token, hash), decide).await?;
        self.reload_access().await?;
        let ends = match (until, replaced.expires) {
            (Some(until), Some(expires)) => Some(until.min(expires)),
            (until, _) => until,
        };
        let replaces = Some(ReplacedToken { token: old, until: ends });
        Ok(told(HeldToken { token, expires, ..replaced }, new.text, replaces))
    }

    /// For how long a token was issued, in microseconds; `None` is for ever.
    async fn lifetime(&self, token: TokenId) -> Result<Option<i64>, Problem> {
        let tokens = self.known().tokens().await?;
        let found = tokens.into_iter().find(|one| one.token == token);
        Ok(found.and_then(|one| Some(one.expires?.micros().saturating_sub(one.issued.time.micros()))))
    }

    /// A token that names what is not there could never be used.
    async fn check_scope(&self, caller: &Caller, scope: &TokenScope) -> Result<(), Problem> {
        let projects: Vec<&ProjectName> = scope.projects.iter().flatten().collect();
        for project in &projects {
            self.known().check_made(caller, project)?;
        }
        for endpoint in scope.endpoints.iter().flatten() {
            match self.known().endpoint_if_any(endpoint).await? {
                Some(found) if projects.contains(&&found.project) => {}
                // the refusal has names near it, of the projects that are meant
                _ => match projects.first() {
                    Some(project) => self.known().found_endpoint(project, endpoint).await.map(drop)?,
                    None => return Err(Problem::invalid("name the projects that the endpoints are in")),
                },
            }
        }
        Ok(())
    }
}

fn issuing(held: &HeldToken, hash: [u8; 32], replaces: Option<TokenId>) -> Event {
    let HeldToken { token, principal, label, expires, scope } = held.clone();
    Event::TokenIssued { token, principal, label, expires, check: Digest::of(&hash), scope, replaces }
}

fn told(held: HeldToken, text: String, replaces: Option<ReplacedToken>) -> NewToken {
    let HeldToken { token, principal, label, expires, scope } = held;
    NewToken { token_id: token, token: text, principal, label, expires, scope, replaces }
}
