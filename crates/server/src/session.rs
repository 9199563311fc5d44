//! Who is signed in to the pages: what a browser shows instead of a token.
//!
//! Sessions live in this process only: a restart signs everybody out. What is kept of one is the hash of what its browser
//! holds, and what was signed in with: who that is and what they may do is asked of the table of rights at each request, so
//! nobody stays in whose token or password is gone.

pub mod cookie;
mod limiter;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use data_encoding::BASE32_NOPAD;
use stemma_core::{Digest, ErrorKind, Problem, Timestamp, name::PrincipalName};
use stemma_engine::access::Credential;
use subtle::ConstantTimeEq as _;

pub use self::limiter::Limiter;

/// Who does nothing for so long is signed out,
const IDLE_MICROS: i64 = 12 * 3_600_000_000;
/// and everybody after this.
const WHOLE_MICROS: i64 = 7 * 24 * 3_600_000_000;
/// Most sessions; of more, the one that was used least recently ends.
const SESSIONS_MAX: usize = 10_000;

/// The input of a form that shows where it is from.
pub const FORM_TOKEN: &str = "form_token";

/// Whose session a request came with; told to what answers it.
#[derive(Clone)]
pub struct SignedIn {
    pub key: SessionKey,
    pub who: PrincipalName,
}

#[derive(Debug, Clone)]
struct Session {
    credential: Credential,
    began: Timestamp,
    seen: Timestamp,
}

impl Session {
    const fn is_over(&self, now: Timestamp) -> bool {
        now.micros() - self.seen.micros() > IDLE_MICROS || now.micros() - self.began.micros() > WHOLE_MICROS
    }
}

/// What a browser holds, and what forms on its pages show that they came from there.
#[derive(Clone)]
pub struct SessionKey(String);

impl SessionKey {
    /// Of what a browser sent; whether it is one is found out later.
    pub fn sent(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn new() -> Result<Self, Problem> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|error| Problem::new(ErrorKind::Internal, format!("no random numbers: {error}")))?;
        Ok(Self(BASE32_NOPAD.encode(&random).to_lowercase()))
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// What forms carry: other sites can have the browser send its cookie, and can't read this.
    pub fn form_token(&self) -> String {
        Digest::of(format!("form token 1\n{}", self.0).as_bytes()).hex()
    }

    pub fn is_form_token(&self, shown: &str) -> bool {
        self.form_token().as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

/// All sessions of this process.
#[derive(Default)]
pub struct Sessions {
    held: Mutex<HashMap<Digest, Session>>,
    limiter: Mutex<Limiter>,
}

impl Sessions {
    /// Begins a session; what is returned is for the browser, and kept nowhere.
    pub fn begin(&self, credential: Credential, now: Timestamp) -> Result<SessionKey, Problem> {
        let key = SessionKey::new()?;
        let mut held = self.held();
        held.retain(|_, session| !session.is_over(now));
        if held.len() >= SESSIONS_MAX {
            let oldest = held.iter().min_by_key(|(_, session)| session.seen).map(|(hash, _)| *hash);
            oldest.and_then(|hash| held.remove(&hash));
        }
        held.insert(key.hash(), Session { credential, began: now, seen: now });
        Ok(key)
    }

    /// What was signed in with, if the session goes on.
    pub fn find(&self, key: &SessionKey, now: Timestamp) -> Option<Credential> {
        let (mut held, hash) = (self.held(), key.hash());
        let session = held.get_mut(&hash)?;
        if session.is_over(now) {
            held.remove(&hash);
            return None;
        }
        session.seen = session.seen.max(now);
        Some(session.credential.clone())
    }

    pub fn end(&self, key: &SessionKey) {
        self.held().remove(&key.hash());
    }

    pub fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Digest, Session>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_after_a_week() {
        let sessions = Sessions::default();
        let credential = Credential::Token([7; 32]);
        let at = |hours: i64| Timestamp(hours * HOUR);
        let key = sessions.begin(credential.clone(), at(0)).unwrap();
        assert_eq!(sessions.find(&key, at(12)), Some(credential.clone()));
        assert_eq!(sessions.find(&key, at(25)), None, "13 hours without a request");
        let key = sessions.begin(credential.clone(), at(0)).unwrap();
        for hours in (0..=168).step_by(8) {
            assert!(sessions.find(&key, at(hours)).is_some(), "{hours}");
        }
        assert_eq!(sessions.find(&key, at(169)), None);
        let key = sessions.begin(credential, at(0)).unwrap();
        sessions.end(&key);
        assert_eq!(sessions.find(&key, at(0)), None);
        assert_eq!(sessions.find(&SessionKey::sent("anything"), at(0)), None);
    }

    #[test]
    fn a_form_shows_the_token_of_its_own_session() {
        let (one, other) = (SessionKey::new().unwrap(), SessionKey::new().unwrap());
        assert!(one.is_form_token(&one.form_token()) && !one.is_form_token(&other.form_token()));
        assert!(!one.is_form_token("") && !one.form_token().contains(one.text()));
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let sessions = Sessions::default();
        let first = sessions.begin(Credential::Token([0; 32]), Timestamp(0)).unwrap();
        for n in 0..SESSIONS_MAX as i64 {
            sessions.begin(Credential::Token([0; 32]), Timestamp(n + 1)).unwrap();
        }
        assert_eq!(sessions.held().len(), SESSIONS_MAX);
        assert_eq!(sessions.find(&first, Timestamp(0)), None);
    }
}
