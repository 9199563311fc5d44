//! The signed head, which lies outside of the database.

use std::{fs, io, path::Path};

use stemma_core::{
    audit::{Check, Fault},
    history::{KeyPurpose, SignedHead, SigningKey, VerifierKey},
};

use super::leaves::Walk;
use crate::{LedgerError, head::named_keys, key::KeyFile, sql::Database};

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
        Err(source) => return Err(LedgerError::file(path, source)),
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

/// Whether the key that lies there is the one that the ledger names. `outside` is where it lies if not beside the heads.
pub async fn check_key(database: &Database, checkpoints: &Path, outside: Option<&Path>) -> Check {
    let mut check = Check::new("signing key", "keys are the one that the ledger names");
    let file = match outside {
        Some(path) => KeyFile::outside(path.to_owned()),
        None => KeyFile::inside(checkpoints),
    };
    let place = format!("`{}`", file.path().display());
    let named = match named_keys(database).await {
        Ok((named, _)) => named.current().cloned(),
        Err(error) => return Check::impossible("signing key", error),
    };
    let Some(named) = named else {
        check.leave_out("the home was made before the ledger named its key");
        return check;
    };
    check.looked_at = 1;
    // a key that was named and has not taken its place yet lies beside the one before it
    let read = file.read().and_then(|secret| Ok([secret, file.next().read()?]));
    let is_named = |secret: &[u8; 32]| *SigningKey::new(named.name(), KeyPurpose::Head, secret).verifier() == named;
    match read {
        Ok([None, None]) if outside.is_some() => {
            check.leave_out(format!(
                "{place}, where the key lies, is not there; whoever signs has to name another place"
            ));
        }
        Ok([None, None]) => check.fault(Fault::at(place, "it is missing: the home can't be opened without it")),
        Ok(secrets) if !secrets.iter().flatten().any(is_named) => {
            check.fault(Fault::at(place, "it is another key than the one that the ledger names"));
        }
        Ok(_) => {}
        Err(error) => check.fault(Fault::at(place, error.to_string())),
    }
    check
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
