//! Hashes of passwords are in no leaf, but each event that set one commits to it.

use stemma_core::{
    Digest,
    audit::{Check, Fault},
};

use crate::{LedgerError, sql::Session};

pub async fn check(live: &mut Session) -> Result<Check, LedgerError> {
    let mut check = Check::new("passwords", "hashes of passwords are those that were set");
    let sql = "SELECT password.principal AS principal, hash_check, hash, from_seq FROM password \
               LEFT JOIN password_hash ON password_hash.principal = password.principal \
               WHERE to_seq IS NULL ORDER BY from_seq";
    for row in live.rows(sql, &[]).await? {
        check.looked_at += 1;
        let (principal, seq) = (row.text("principal")?, row.int("from_seq")?.max(0) as u64);
        let place = Some(format!("the password of {principal}"));
        let fault = |what: &str| Fault { seq: Some(seq), place, what: what.to_owned() };
        match row.optional_text("hash") {
            Ok(Some(hash)) if Digest::of(hash.as_bytes()).to_string() == row.text("hash_check")? => {}
            Ok(None) => check.fault(fault("its hash is gone: they can't sign in with it")),
            Ok(Some(_)) | Err(_) => check.fault(fault("its hash was exchanged")),
        }
    }
    let sql = "SELECT CAST(principal AS TEXT) AS principal FROM password_hash WHERE NOT EXISTS (SELECT 1 FROM password \
               WHERE password.principal = password_hash.principal AND password.to_seq IS NULL) LIMIT 100";
    for row in live.rows(sql, &[]).await? {
        let principal = row.optional_text("principal")?.unwrap_or_default();
        check.fault(Fault::at(format!("the password of {principal}"), "there is a hash for it, and none was set"));
    }
    Ok(check)
}
