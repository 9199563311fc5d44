//! The signed head, which lies outside of the database.

use std::{fs, io, path::Path};

use stemma_core::{
    audit::{Check, Fault},
    history::{KeyPurpose, SignedHead, SigningKey, VerifierKey},
};

use super::leaves::Walk;
use crate::{LedgerError, history::named_keys, key::KeyFile, sql::Database};

/// Reads the last signed head of a folder, by the keys that the ledger names; makes nothing there and needs no secret.
pub async fn last_signed(
    database: &Database,
    checkpoints: &Path,
    origin: &str,
) -> Result<Option<SignedHead>, LedgerError> {
    let path = checkpoints.join("last.checkpoint");
    let note = match fs::read_to_string(&path) {
        Ok(note) => note,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LedgerError::File { path, source }),
    };
    let (named, _) = named_keys(database).await?;
    let known: Vec<VerifierKey> = match named.current() {
        Some(_) => named.all().cloned().collect(),
        None => vec![unnamed_key(checkpoints, origin)?],
    };
    let signed = known.iter().find_map(|key| SignedHead::open(&note, key).ok());
    signed.map(Some).ok_or_else(|| {
        LedgerError::Checkpoint(format!("`{}` is not a checkpoint signed by this home's key", path.display()))
    })
}

/// The key of a home that was made before keys were named.
fn unnamed_key(checkpoints: &Path, origin: &str) -> Result<VerifierKey, LedgerError> {
    let file = KeyFile::inside(checkpoints);
    let secret = file.read()?.ok_or_else(|| LedgerError::Key(format!("`{}` is missing", file.path().display())))?;
    Ok(SigningKey::new(origin, KeyPurpose::Head, &secret).verifier().clone())
}

pub fn check(signed: Result<Option<SignedHead>, LedgerError>, walk: &Walk) -> Check {
    let mut check = Check::new("signed head", "signed heads are a beginning of the tree");
    let size = walk.frontier.size();
    match signed {
        Err(error) => check.fault(Fault::at("the signed head", error.to_string())),
        Ok(None) if size > 0 => {
            check.fault(Fault::of_event(size, "no signed head is left to check against: `last.checkpoint` was removed"))
        }
        Ok(None) => {}
        Ok(Some(signed)) => {
            check.looked_at = 1;
            let at = signed.size();
            match walk.roots.get(&at) {
                Some(root) if root == signed.root() => {}
                Some(_) => check.fault(Fault::of_event(at, format!("history up to event {at} is not what was signed"))),
                None => check.fault(Fault::of_event(
                    size + 1,
                    format!("events up to {at} were signed, but the ledger ends before: an old backup, or a cut"),
                )),
            }
        }
    }
    check
}
