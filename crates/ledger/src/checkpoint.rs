//! The signed head of the ledger: a C2SP signed note over a transparency-log checkpoint, by Ed25519.
//!
//! Key and last signed checkpoint lie in a folder outside of the database. A head is only signed after the tree of the
//! last signed one was found at the beginning of today's, so a database restored from an old backup, or one whose
//! history was changed, is noticed when it is opened.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::{LedgerError, tree::Hash};

/// Signature type byte of Ed25519 in key ids (C2SP signed-note).
const ED25519: u8 = 1;

/// Signs heads, and remembers the last one.
pub struct Signer {
    folder: PathBuf,
    /// Names this ledger; first line of every checkpoint.
    origin: String,
    key: SigningKey,
}

/// A head that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub size: u64,
    pub root: Hash,
    /// The signed note.
    pub note: String,
    /// The verifier key text of the note.
    pub key: String,
}

impl Signer {
    /// Reads the key, or makes one.
    pub fn open(folder: &Path, origin: &str) -> Result<Self, LedgerError> {
        let path = folder.join("signing.key");
        let unusable = |error: io::Error| LedgerError::File { path: path.clone(), source: error };
        let key = match fs::read(&path) {
            Ok(bytes) => {
                let bytes: [u8; 32] =
                    bytes.try_into().map_err(|_| unusable(io::Error::other("it is not a key of 32 bytes")))?;
                SigningKey::from_bytes(&bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = [0u8; 32];
                getrandom::fill(&mut bytes).map_err(|error| unusable(io::Error::other(error.to_string())))?;
                write_private(&path, &bytes).map_err(unusable)?;
                SigningKey::from_bytes(&bytes)
            }
            Err(error) => return Err(unusable(error)),
        };
        Ok(Self { folder: folder.to_owned(), origin: origin.to_owned(), key })
    }

    /// The last head that was signed here.
    pub fn last(&self) -> Result<Option<Checkpoint>, LedgerError> {
        let path = self.last_path();
        let note = match fs::read_to_string(&path) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LedgerError::File { path, source: error }),
        };
        let bad =
            || LedgerError::Checkpoint(format!("`{}` is not a checkpoint signed by this home's key", path.display()));
        let (size, root) = verify(&note, &self.origin, &self.key.verifying_key()).ok_or_else(bad)?;
        Ok(Some(Checkpoint { size, root, note, key: self.verifier_key() }))
    }

    /// Signs a head and remembers it. The caller has proved that it continues the last one.
    pub fn sign(&self, size: u64, root: Hash) -> Result<Checkpoint, LedgerError> {
        let text = format!("{}\n{size}\n{}\n", self.origin, BASE64.encode(&root));
        let signature = self.key.sign(text.as_bytes());
        let mut bytes = key_id(&self.origin, &self.key.verifying_key()).to_vec();
        bytes.extend_from_slice(&signature.to_bytes());
        let note = format!("{text}\n\u{2014} {} {}\n", self.origin, BASE64.encode(&bytes));
        let path = self.last_path();
        write_private(&path, note.as_bytes()).map_err(|error| LedgerError::File { path, source: error })?;
        Ok(Checkpoint { size, root, note, key: self.verifier_key() })
    }

    /// `<name>+<key id>+<base64 of type and key>`
    pub fn verifier_key(&self) -> String {
        let key = self.key.verifying_key();
        let id = data_encoding::HEXLOWER.encode(&key_id(&self.origin, &key));
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(key.as_bytes());
        format!("{}+{id}+{}", self.origin, BASE64.encode(&bytes))
    }

    fn last_path(&self) -> PathBuf {
        self.folder.join("last.checkpoint")
    }
}

/// First four bytes of SHA-256(name ‖ newline ‖ type ‖ key).
fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let hash = Sha256::new()
        .chain_update(name)
        .chain_update(b"\n")
        .chain_update([ED25519])
        .chain_update(key.as_bytes())
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// Reads and checks a signed checkpoint; returns tree size and root.
pub fn verify(note: &str, origin: &str, key: &VerifyingKey) -> Option<(u64, Hash)> {
    let (text, signatures) = note.split_once("\n\n")?;
    let text = format!("{text}\n");
    let line = signatures.lines().find_map(|line| line.strip_prefix(&format!("\u{2014} {origin} ")))?;
    let bytes = BASE64.decode(line.as_bytes()).ok()?;
    let (id, signature) = bytes.split_at_checked(4)?;
    if id != key_id(origin, key) {
        return None;
    }
    key.verify(text.as_bytes(), &Signature::from_slice(signature).ok()?).ok()?;
    let mut lines = text.lines();
    if lines.next()? != origin {
        return None;
    }
    let size = lines.next()?.parse().ok()?;
    let root = BASE64.decode(lines.next()?.as_bytes()).ok()?.try_into().ok()?;
    lines.next().is_none().then_some((size, root))
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_head_verifies_and_an_altered_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::open(folder.path(), "stemma.example/audit").unwrap();
        assert_eq!(signer.last().unwrap(), None);
        let signed = signer.sign(7, [9; 32]).unwrap();
        let again = Signer::open(folder.path(), "stemma.example/audit").unwrap();
        assert_eq!(again.last().unwrap(), Some(signed.clone()));
        let path = folder.path().join("last.checkpoint");
        fs::write(&path, signed.note.replace("\n7\n", "\n8\n")).unwrap();
        assert!(matches!(again.last(), Err(LedgerError::Checkpoint(_))));
    }

    /// The example of the C2SP signed-note specification.
    #[test]
    fn key_ids_are_computed_as_the_specification_does() {
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let (_, encoded) = text.rsplit_once('+').unwrap();
        let bytes = BASE64.decode(encoded.as_bytes()).unwrap();
        let key = VerifyingKey::from_bytes(bytes[1..].try_into().unwrap()).unwrap();
        assert_eq!(data_encoding::HEXLOWER.encode(&key_id("PeterNeumann", &key)), "c74f20a3");
    }
}
