//! Hashes of tokens are in no leaf, but each event that issued one commits to it.

use stemma_core::{
    Digest,
    audit::{Check, Fault},
};

use crate::{LedgerError, sql::Session};

pub async fn check(live: &mut Session) -> Result<Check, LedgerError> {
    let mut check = Check::new("tokens", "hashes of tokens are those that were issued");
    let sql = "SELECT token.token AS token, hash_check, hash, from_seq, to_seq FROM token \
               LEFT JOIN token_hash ON token_hash.token = token.token ORDER BY from_seq";
    for row in live.rows(sql, &[]).await? {
        check.looked_at += 1;
        let (token, seq) = (row.text("token")?, row.int("from_seq")?.max(0) as u64);
        let is_revoked = row.optional_int("to_seq")?.is_some();
        let fault = |what: &str| Fault { seq: Some(seq), place: Some(format!("token {token}")), what: what.to_owned() };
        match row.optional_blob("hash") {
            Ok(Some(hash)) if Digest::of(&hash).to_string() == row.text("hash_check")? => {}
            // that of a revoked one may be gone: it lets nobody in
            Ok(None) if is_revoked => {}
            Ok(None) => check.fault(fault("its hash is gone: whoever holds it can't get in")),
            Ok(Some(_)) | Err(_) => check.fault(fault("its hash was exchanged")),
        }
    }
    let sql = "SELECT CAST(token AS TEXT) AS token FROM token_hash \
               WHERE NOT EXISTS (SELECT 1 FROM token WHERE token.token = token_hash.token) LIMIT 100";
    for row in live.rows(sql, &[]).await? {
        let token = row.optional_text("token")?.unwrap_or_default();
        check.fault(Fault::at(format!("token {token}"), "there is a hash for it, and it was never issued"));
    }
    Ok(check)
}
