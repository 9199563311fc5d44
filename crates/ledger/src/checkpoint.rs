//! The signed head of the ledger: a C2SP signed note over a transparency-log checkpoint, by Ed25519.
//!
//! Key and last signed checkpoint lie outside of the database. A head is only signed after the tree of the last signed
//! one was found at the beginning of today's, so a database restored from an old backup, or one whose history was
//! changed, is noticed when it is opened. A key signs only while the ledger says so: the first one is named when the
//! home is made, every other by the one before it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{RwLock, RwLockReadGuard},
};

use stemma_core::history::{KeyPurpose, KeySuccession, SignedHead, SigningKey, VerifierKey};

use crate::{
    LedgerError,
    key::{KeyFile, write_private},
    tree::Hash,
};

/// The keys that the ledger names, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamedKeys {
    /// The home's first key; homes that were made before keys were named have none.
    pub first: Option<VerifierKey>,
    pub successions: Vec<KeySuccession>,
}

impl NamedKeys {
    /// The key that signs now; `None` if the ledger names none.
    pub fn current(&self) -> Option<&VerifierKey> {
        self.successions.last().map(|succession| &succession.to).or(self.first.as_ref())
    }

    /// All keys that have signed.
    pub(crate) fn all(&self) -> impl Iterator<Item = &VerifierKey> {
        self.successions.iter().flat_map(|step| [&step.to, &step.from]).chain(&self.first)
    }
}

/// Where keys and heads are kept, and what they are called.
pub(crate) struct SignerOptions {
    /// Holds the last signed head, and the key unless it lies outside.
    pub folder: PathBuf,
    pub key_file: KeyFile,
    /// Names this ledger; first line of every checkpoint.
    pub origin: String,
}

/// Signs heads, and remembers the last one.
pub struct Signer {
    options: SignerOptions,
    keys: RwLock<Keys>,
}

struct Keys {
    signing: SigningKey,
    named: NamedKeys,
}

/// A key that is ready to sign after the one that signs now.
pub struct NextKey {
    secret: SigningKey,
    file: KeyFile,
    pub succession: KeySuccession,
}

impl Signer {
    /// Reads the key; makes one for a ledger that has no events yet.
    pub fn open(options: SignerOptions, named: NamedKeys, events: u64) -> Result<Self, LedgerError> {
        let key_file = &options.key_file;
        let origin = &options.origin;
        let read = |file: &KeyFile| {
            file.read().map(|secret| secret.map(|secret| SigningKey::new(origin, KeyPurpose::Head, &secret)))
        };
        let is_named = |key: &SigningKey| named.current().is_none_or(|current| current == key.verifier());
        let signing = match read(key_file)? {
            Some(key) if is_named(&key) => key,
            // the ledger names a key that was made and had not taken its place yet when the process ended
            other => match read(&key_file.next())?.filter(|key| named.current() == Some(key.verifier())) {
                Some(key) => {
                    key_file.next().replace(key_file)?;
                    key
                }
                None if other.is_some() => return Err(LedgerError::Key(unnamed(key_file.path()))),
                None if events > 0 => return Err(LedgerError::Key(missing(key_file.path()))),
                None => new_key(key_file, origin)?,
            },
        };
        Ok(Self { options, keys: RwLock::new(Keys { signing, named }) })
    }

    /// The last head that was signed here.
    pub fn last(&self) -> Result<Option<SignedHead>, LedgerError> {
        let path = self.last_path();
        let note = match fs::read_to_string(&path) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LedgerError::file(path, error)),
        };
        let keys = self.keys();
        let mut known = std::iter::once(keys.signing.verifier()).chain(keys.named.all());
        let signed = known.find_map(|key| SignedHead::open(&note, key).ok());
        signed.map(Some).ok_or_else(|| {
            LedgerError::Checkpoint(format!("`{}` is not a checkpoint signed by this home's key", path.display()))
        })
    }

    /// Signs a head and remembers it. The caller has proved that it continues the last one.
    pub fn sign(&self, size: u64, root: Hash) -> Result<SignedHead, LedgerError> {
        let signed = self.keys().signing.sign(size, root);
        let path = self.last_path();
        write_private(&path, signed.note().as_bytes()).map_err(|error| LedgerError::file(path, error))?;
        Ok(signed)
    }

    pub fn verifier(&self) -> VerifierKey {
        self.keys().signing.verifier().clone()
    }

    pub fn successions(&self) -> Vec<KeySuccession> {
        self.keys().named.successions.clone()
    }

    /// Makes the key that is to follow, beside this one or elsewhere; it signs nothing before [`Signer::hand_over`].
    pub fn prepare(&self, elsewhere: Option<&Path>) -> Result<NextKey, LedgerError> {
        let file = match elsewhere {
            Some(path) => KeyFile::outside(path.to_owned()),
            None => self.options.key_file.clone(),
        };
        if elsewhere.is_some() && file.read()?.is_some() {
            let what = format!("`{}` is there already; a new key overwrites none", file.path().display());
            return Err(LedgerError::Key(what));
        }
        let secret = random()?;
        // a key elsewhere is in its place at once: until the ledger names it, nobody signs with it
        if elsewhere.is_some() {
            file.write(&secret)?
        } else {
            file.next().write(&secret)?
        }
        let secret = SigningKey::new(&self.options.origin, KeyPurpose::Head, &secret);
        let succession = self.keys().signing.hand_over(secret.verifier());
        Ok(NextKey { secret, file, succession })
    }

    /// Signs with the next key from now on. The ledger names it already.
    pub fn hand_over(&self, next: NextKey) -> Result<(), LedgerError> {
        let here = &self.options.key_file;
        if next.file == *here {
            next.file.next().replace(here)?;
        } else {
            here.remove()?;
        }
        let mut keys = self.keys.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        keys.named.successions.push(next.succession);
        keys.signing = next.secret;
        Ok(())
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn last_path(&self) -> PathBuf {
        self.options.folder.join("last.checkpoint")
    }
}

fn new_key(file: &KeyFile, origin: &str) -> Result<SigningKey, LedgerError> {
    let secret = random()?;
    file.write(&secret)?;
    Ok(SigningKey::new(origin, KeyPurpose::Head, &secret))
}

fn random() -> Result<[u8; 32], LedgerError> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| LedgerError::Key(format!("no random numbers: {error}")))?;
    Ok(bytes)
}

fn unnamed(path: &Path) -> String {
    format!("`{}` is another key than the one that the ledger names, and no event says that it follows", path.display())
}

fn missing(path: &Path) -> String {
    format!("the key that signs this ledger is not at `{}`", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path, named: NamedKeys, events: u64) -> Result<Signer, LedgerError> {
        let options = SignerOptions {
            folder: folder.to_owned(),
            key_file: KeyFile::inside(folder),
            origin: "stemma.example/audit".to_owned(),
        };
        Signer::open(options, named, events)
    }

    #[test]
    fn a_signed_head_verifies_and_an_altered_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let signer = open(folder.path(), NamedKeys::default(), 0).unwrap();
        assert_eq!(signer.last().unwrap(), None);
        let signed = signer.sign(7, [9; 32]).unwrap();
        let again = open(folder.path(), NamedKeys::default(), 7).unwrap();
        assert_eq!(again.last().unwrap(), Some(signed.clone()));
        let path = folder.path().join("last.checkpoint");
        fs::write(&path, signed.note().replace("\n7\n", "\n8\n")).unwrap();
        assert!(matches!(again.last(), Err(LedgerError::Checkpoint(_))));
    }

    #[test]
    fn only_the_key_that_the_ledger_names_signs() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), NamedKeys::default(), 0).unwrap().verifier();
        let named = NamedKeys { first: Some(first), successions: Vec::new() };
        assert!(open(folder.path(), named.clone(), 3).is_ok());
        // another key in its place, or none: a new one is not made in silence
        let path = folder.path().join("signing.key");
        let secret = fs::read(&path).unwrap();
        write_private(&path, &[4; 32]).unwrap();
        assert!(matches!(open(folder.path(), named.clone(), 3), Err(LedgerError::Key(_))));
        fs::remove_file(&path).unwrap();
        assert!(matches!(open(folder.path(), named.clone(), 3), Err(LedgerError::Key(_))));
        assert!(matches!(open(folder.path(), NamedKeys::default(), 3), Err(LedgerError::Key(_))));
        assert!(!path.exists());
        write_private(&path, &secret).unwrap();
        assert!(open(folder.path(), named, 3).is_ok());
    }

    #[test]
    fn a_key_follows_when_the_ledger_says_so_wherever_the_process_ended() {
        let folder = tempfile::tempdir().unwrap();
        let signer = open(folder.path(), NamedKeys::default(), 0).unwrap();
        let before = signer.sign(7, [9; 32]).unwrap();
        let mut named = NamedKeys { first: Some(signer.verifier()), successions: Vec::new() };
        let next = signer.prepare(None).unwrap();
        // ended before the ledger named it: the first one signs on
        assert_eq!(open(folder.path(), named.clone(), 7).unwrap().verifier(), signer.verifier());
        // ended right after
        named.successions.push(next.succession.clone());
        let second = open(folder.path(), named.clone(), 8).unwrap();
        assert_eq!(second.verifier(), next.succession.to);
        // what the first one signed is still believed, and what it signs from now on is not
        assert_eq!(second.last().unwrap(), Some(before));
        assert!(!folder.path().join("signing.key.next").exists());

        let elsewhere = tempfile::tempdir().unwrap();
        let path = elsewhere.path().join("stemma.key");
        let third = second.prepare(Some(&path)).unwrap();
        let verifier = third.succession.to.clone();
        second.hand_over(third).unwrap();
        assert_eq!(second.verifier(), verifier);
        assert!(!folder.path().join("signing.key").exists(), "the earlier one is not left lying in the home");
        assert!(matches!(second.prepare(Some(&path)), Err(LedgerError::Key(_))));
    }
}
