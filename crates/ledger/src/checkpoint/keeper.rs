//! The signing key and the last signed checkpoint, in files outside of the database.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use tokio::sync::{Mutex, MutexGuard};

use super::{
    Checkpoint, SignedCheckpoint,
    note::{NoteKey, is_key_name},
};
use crate::{LedgerError, commit::Head, sql::Connection, tree::verify_consistency};

const KEY_FILE: &str = "ledger.key";
const CHECKPOINT_FILE: &str = "checkpoint";

pub(crate) struct Keeper {
    folder: PathBuf,
    key: NoteKey,
    /// One signs at a time, so that no checkpoint is signed beside another.
    signing: Mutex<()>,
}

impl Keeper {
    /// Reads the key, or makes one if nothing was ever signed here.
    pub fn open(folder: PathBuf, origin: String) -> Result<Self, LedgerError> {
        if !is_key_name(&origin) {
            return Err(LedgerError::Address {
                url: origin,
                reason: "the name of a ledger has no white space and no `+`".to_owned(),
            });
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| LedgerError::file(&folder, error))?;
        let key = read_or_make_key(&folder, &origin)?;
        if key.name() != origin {
            let reason = format!("the key is of `{}`, not of `{origin}`", key.name());
            return Err(LedgerError::file(folder.join(KEY_FILE), reason));
        }
        Ok(Self { folder, key, signing: Mutex::new(()) })
    }

    /// The last signed checkpoint, its signature checked.
    pub fn last(&self) -> Result<Option<SignedCheckpoint>, LedgerError> {
        let path = self.folder.join(CHECKPOINT_FILE);
        let Some(note) = read_if_any(&path)? else {
            return Ok(None);
        };
        let key = self.key.verifier();
        let checkpoint = Checkpoint::open(&note, &key).map_err(|error| LedgerError::file(&path, error))?;
        Ok(Some(SignedCheckpoint { checkpoint, note, key: key.to_string() }))
    }

    /// Checks that the ledger continues what was signed last.
    pub async fn check_continuation(&self, connection: &mut Connection, head: &Head) -> Result<(), LedgerError> {
        let Some(SignedCheckpoint { checkpoint: last, .. }) = self.last()? else {
            return Ok(());
        };
        if head.size() < last.size {
            return Err(LedgerError::RolledBack { signed: last.size, found: head.size() });
        }
        let proof = connection.consistency_proof(last.size, head.size()).await?;
        verify_consistency((last.size, last.root), (head.size(), head.root()), &proof)
            .map_err(|_| LedgerError::Rewritten { signed: last.size })
    }

    /// Waits until nobody else signs; the head is read after that.
    pub async fn alone(&self) -> MutexGuard<'_, ()> {
        self.signing.lock().await
    }

    /// Signs a head that continues the last one.
    pub async fn sign(&self, connection: &mut Connection, head: &Head) -> Result<SignedCheckpoint, LedgerError> {
        self.check_continuation(connection, head).await?;
        let checkpoint = Checkpoint { origin: self.key.name().to_owned(), size: head.size(), root: head.root() };
        if let Some(last) = self.last()?
            && last.checkpoint == checkpoint
        {
            return Ok(last);
        }
        let note = self.key.sign(&checkpoint.text());
        let path = self.folder.join(CHECKPOINT_FILE);
        write_private(&path, note.as_bytes()).map_err(|error| LedgerError::file(&path, error))?;
        Ok(SignedCheckpoint { checkpoint, note, key: self.key.verifier().to_string() })
    }
}

fn read_or_make_key(folder: &Path, origin: &str) -> Result<NoteKey, LedgerError> {
    let path = folder.join(KEY_FILE);
    if let Some(text) = read_if_any(&path)? {
        return NoteKey::from_secret_text(&text).ok_or_else(|| LedgerError::file(&path, "it is not a signing key"));
    }
    if folder.join(CHECKPOINT_FILE).exists() {
        return Err(LedgerError::file(&path, "it is missing, but something was signed with it"));
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| LedgerError::Random(error.to_string()))?;
    let key = NoteKey::new(origin.to_owned(), &seed);
    let text = key.to_secret_text() + "\n";
    write_private(&path, text.as_bytes()).map_err(|error| LedgerError::file(&path, error))?;
    Ok(key)
}

fn read_if_any(path: &Path) -> Result<Option<String>, LedgerError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LedgerError::file(path, error)),
    }
}

/// Replaces a file of mode 0600: after power loss it is there whole, old or new.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}
