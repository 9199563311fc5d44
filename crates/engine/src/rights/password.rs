//! Passwords: set, removed, and asked for by whoever signs in to the pages.
//!
//! They are hashed by Argon2id (RFC 9106) with the parameters that OWASP's cheat sheet of password storage names first for a
//! machine that does other things too. The hash is in no event: events are read by many and are never forgotten.

use std::sync::LazyLock;

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version, password_hash::phc::PasswordHash,
};
use stemma_api::types::{PasswordOf, SetPassword};
use stemma_core::{
    Digest, ErrorKind, Problem,
    event::Event,
    id::RequestId,
    name::PrincipalName,
    password::{check_password, typed},
    rights::Action,
};
use stemma_ledger::Secret;
use tokio::sync::Semaphore;

use crate::{
    Caller, Engine, Known,
    access::Credential,
    problem::{internal, ledger_problem},
};

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Each takes [`MEMORY_KIB`] and a processor: whoever signs in waits for another, and who asks for predictions does not.
static HASHING: Semaphore = Semaphore::const_new(2);

impl Engine {
    /// Sets a password, of oneself or by whoever manages rights. Whoever is signed in by the one before is signed out.
    pub async fn set_password(
        &self,
        caller: &Caller,
        request: RequestId,
        set: SetPassword,
    ) -> Result<PasswordOf, Problem> {
        let SetPassword { principal, password } = set;
        self.may_set_password(caller, &principal)?;
        check_password(&password, &principal)?;
        let hash = hashed(password).await?;
        let (of, check) = (&principal, Digest::of(hash.as_bytes()));
        let decide = || async move {
            self.known().principal(of).await?;
            Ok(vec![Event::PasswordSet { principal: of.clone(), check }])
        };
        self.change_with_secret(caller, request, Secret::Password(of.clone(), hash), decide).await?;
        self.reload_access().await?;
        Ok(PasswordOf { principal, is_set: true })
    }

    pub async fn remove_password(
        &self,
        caller: &Caller,
        request: RequestId,
        principal: PrincipalName,
    ) -> Result<PasswordOf, Problem> {
        self.may_set_password(caller, &principal)?;
        let of = &principal;
        let decide = || async move {
            let all = self.known().facts().passwords().await.map_err(ledger_problem)?;
            match all.iter().any(|row| row.value.principal == *of) {
                true => Ok(vec![Event::PasswordRemoved { principal: of.clone() }]),
                false => Err(Problem::not_found(format!("`{of}` has no password"))),
            }
        };
        self.change(caller, request, decide).await?;
        self.reload_access().await?;
        Ok(PasswordOf { principal, is_set: false })
    }

    fn may_set_password(&self, caller: &Caller, of: &PrincipalName) -> Result<(), Problem> {
        caller.must_be_proved("set a password")?;
        // a token that reaches little would become a password that reaches all
        let is_oneself = caller.actor.principal == *of && caller.rights.scope.is_whole();
        if is_oneself { Ok(()) } else { caller.may(Action::ManageRights, None) }
    }
}

impl Known {
    /// Who signs in by name and password. Nobody learns whether a name is known, by the answer or by its time.
    pub async fn sign_in(&self, principal: &PrincipalName, password: &str) -> Result<Credential, Problem> {
        let kept = self.facts().password_hash(principal).await.map_err(ledger_problem)?;
        let holds = self.access_table().has_password(principal);
        let hash = kept.clone().filter(|_| holds).unwrap_or_else(|| NOBODY.clone());
        let is_right = is_password(typed(password), hash.clone()).await?;
        match kept {
            Some(kept) if holds && is_right => Ok(Credential::Password(principal.clone(), Digest::of(kept.as_bytes()))),
            _ => Err(Problem::new(ErrorKind::Unauthenticated, "the name or the password is not right")
                .hint("an owner can set another with `stemma user password NAME`")),
        }
    }
}

/// What is compared with where nobody has that name: a hash that no password has.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1$c3RlbW1hIG5vYm9keQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    )
});

fn argon2() -> Result<Argon2<'static>, Problem> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// As a PHC string, with a salt of its own.
async fn hashed(password: String) -> Result<String, Problem> {
    let _turn = HASHING.acquire().await.map_err(internal)?;
    let hash = move || {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(internal)?;
        let hash = argon2()?.hash_password_with_salt(typed(&password).as_bytes(), &salt).map_err(internal)?;
        Ok(hash.to_string())
    };
    tokio::task::spawn_blocking(hash).await.map_err(internal)?
}

async fn is_password(password: String, hash: String) -> Result<bool, Problem> {
    let _turn = HASHING.acquire().await.map_err(internal)?;
    let verify = move || {
        let hash = PasswordHash::new(&hash).map_err(internal)?;
        Ok(argon2()?.verify_password(password.as_bytes(), &hash).is_ok())
    };
    tokio::task::spawn_blocking(verify).await.map_err(internal)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other() {
        let hash = hashed("correct horse battery".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hashed("correct horse battery".to_owned()).await.unwrap(), "each has a salt of its own");
        assert!(is_password("correct horse battery".to_owned(), hash.clone()).await.unwrap());
        for wrong in ["", "correct horse batterY", "correct horse battery "] {
            assert!(!is_password(wrong.to_owned(), hash.clone()).await.unwrap(), "{wrong}");
        }
        assert!(!is_password("anything at all".to_owned(), NOBODY.clone()).await.unwrap());
    }
}
