//! C2SP signed notes with Ed25519 keys, and checkpoints inside of them.

use std::{fmt, str::FromStr};

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::tree::TreeHash;

/// Longest note in bytes and most signatures that are looked at.
const NOTE_BYTES_MAX: usize = 1 << 20;
const SIGNATURES_MAX: usize = 100;
/// The algorithm byte of Ed25519.
const ED25519: u8 = 1;
const KEY_BYTES: usize = 32;

/// Why a note, a key or a checkpoint is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("it is not a signed note")]
    Malformed,
    #[error("it has no signature by `{0}`")]
    Unsigned(String),
    #[error("the signature by `{0}` is wrong")]
    WrongSignature(String),
    #[error("it is not a checkpoint")]
    NotACheckpoint,
    #[error("`{0}` is not an Ed25519 key")]
    Key(String),
}

/// A head of a log: how many leaves, and the root over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: TreeHash,
}

/// A checkpoint with its note and the key that verifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    pub checkpoint: Checkpoint,
    /// The whole signed note.
    pub note: String,
    /// The verifier key, as `<name>+<hash>+<key>`.
    pub key: String,
}

/// The public half of a note key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

/// The secret half of a note key.
#[derive(Clone)]
pub(super) struct NoteKey {
    name: String,
    key: SigningKey,
}

impl Checkpoint {
    /// The three lines that are signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Opens a signed note and reads the checkpoint in it.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        let text = key.open(note)?;
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        let [origin, size, root] = lines[..] else {
            return Err(NoteError::NotACheckpoint);
        };
        let plain = size == "0" || !size.starts_with('0');
        let size = size.parse().ok().filter(|_| plain && size.bytes().all(|b| b.is_ascii_digit()));
        let root = BASE64.decode(root.as_bytes()).ok().and_then(|root| root.try_into().ok());
        match (size, root) {
            (Some(size), Some(root)) if !origin.is_empty() => {
                Ok(Self { origin: origin.to_owned(), size, root: TreeHash(root) })
            }
            _ => Err(NoteError::NotACheckpoint),
        }
    }
}

impl VerifierKey {
    /// Returns the text of a note if this key signed it. Signatures by other keys are ignored.
    pub fn open<'n>(&self, note: &'n str) -> Result<&'n str, NoteError> {
        let control = |c: char| c.is_control() && c != '\n';
        if note.len() > NOTE_BYTES_MAX || note.contains(control) || !note.ends_with('\n') {
            return Err(NoteError::Malformed);
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
        let (text, signatures) = (&note[..=at], &note[at + 2..]);
        let mut found = false;
        for line in signatures.split_terminator('\n').take(SIGNATURES_MAX) {
            let rest = line.strip_prefix("— ").ok_or(NoteError::Malformed)?;
            let (name, signature) = rest.split_once(' ').ok_or(NoteError::Malformed)?;
            let bytes = BASE64.decode(signature.as_bytes()).map_err(|_| NoteError::Malformed)?;
            let (id, signature) = bytes.split_at_checked(4).ok_or(NoteError::Malformed)?;
            if name != self.name || id != key_id(&self.name, &self.key) {
                continue;
            }
            let wrong = || NoteError::WrongSignature(name.to_owned());
            let signature = Signature::from_slice(signature).map_err(|_| wrong())?;
            self.key.verify_strict(text.as_bytes(), &signature).map_err(|_| wrong())?;
            found = true;
        }
        if found { Ok(text) } else { Err(NoteError::Unsigned(self.name.clone())) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_text(&self.name, &self.key, self.key.as_bytes()))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let bad = || NoteError::Key(text.to_owned());
        let (name, id, bytes) = read_key(text).ok_or_else(bad)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| bad())?;
        if id != HEXLOWER.encode(&key_id(&name, &key)) {
            return Err(bad());
        }
        Ok(Self { name, key })
    }
}

const SECRET_PREFIX: &str = "PRIVATE+KEY+";

impl NoteKey {
    pub fn new(name: String, seed: &[u8; KEY_BYTES]) -> Self {
        Self { name, key: SigningKey::from_bytes(seed) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// Signs a text that ends in a newline.
    pub fn sign(&self, text: &str) -> String {
        let mut bytes = key_id(&self.name, &self.key.verifying_key()).to_vec();
        bytes.extend(self.key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n— {} {}\n", self.name, BASE64.encode(&bytes))
    }

    /// The form in which it is kept in its file.
    pub fn to_secret_text(&self) -> String {
        let text = key_text(&self.name, &self.key.verifying_key(), self.key.as_bytes());
        format!("{SECRET_PREFIX}{text}")
    }

    pub fn from_secret_text(text: &str) -> Option<Self> {
        let (name, id, seed) = read_key(text.trim_end().strip_prefix(SECRET_PREFIX)?)?;
        let key = Self::new(name, &seed);
        (id == HEXLOWER.encode(&key_id(&key.name, &key.key.verifying_key()))).then_some(key)
    }
}

/// A key name is part of every signature line, so it has no white space and no `+`.
pub(super) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', ED25519]).chain_update(key.as_bytes()).finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn key_text(name: &str, key: &VerifyingKey, bytes: &[u8; KEY_BYTES]) -> String {
    let mut tagged = vec![ED25519];
    tagged.extend(bytes);
    format!("{name}+{}+{}", HEXLOWER.encode(&key_id(name, key)), BASE64.encode(&tagged))
}

fn read_key(text: &str) -> Option<(String, String, [u8; KEY_BYTES])> {
    let mut parts = text.splitn(3, '+');
    let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = BASE64.decode(key.as_bytes()).ok()?;
    let (ED25519, key) = (*bytes.first()?, bytes.get(1..)?) else {
        return None;
    };
    is_key_name(name).then_some((name.to_owned(), id.to_owned(), key.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn the_published_note_verifies_and_an_altered_one_does_not() {
        let key: VerifierKey = PUBLIC.parse().unwrap();
        assert_eq!(key.to_string(), PUBLIC);
        assert!(key.open(NOTE).unwrap().ends_with("your problem is.\n"));
        let altered = NOTE.replace("answer", "Answer");
        assert_eq!(key.open(&altered), Err(NoteError::WrongSignature("PeterNeumann".into())));
    }

    fn key() -> NoteKey {
        NoteKey::new("stemma.example/audit".into(), &[7; 32])
    }

    #[test]
    fn checkpoints_survive_signing_and_keys_survive_their_file() {
        let checkpoint = Checkpoint { origin: "stemma.example/audit".into(), size: 3, root: TreeHash::empty() };
        let again = NoteKey::from_secret_text(&key().to_secret_text()).unwrap();
        let note = again.sign(&checkpoint.text());
        assert_eq!(Checkpoint::open(&note, &key().verifier()), Ok(checkpoint));
        assert_eq!(note, FROZEN);
    }
    const FROZEN: &str = "stemma.example/audit\n3\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\
        — stemma.example/audit DQfovZgzgUa2xkBmZeYM7bjm+ASAPlJTZVOsbxO4RbyaYA5r3NpelYYyUANdWal+Bf524+WnMAOjQ+r2RzUXBsSUfAU=\n";

    #[test]
    fn foreign_signatures_are_ignored_and_malformed_notes_refused() {
        let note = key().sign("text\n");
        let second = NoteKey::new("other".into(), &[8; 32]).sign("text\n");
        let both = format!("{note}{}", second.rsplit_once("\n\n").unwrap().1);
        assert_eq!(key().verifier().open(&both), Ok("text\n"));
        let stranger = NoteKey::new("stranger".into(), &[9; 32]).verifier();
        assert_eq!(stranger.open(&both), Err(NoteError::Unsigned("stranger".into())));
        for bad in
            ["", "\n", "text", "text\n", "text\n\nnot a signature\n", "text\n\n— a b\n", "te\u{1}xt\n\n— a AAAA\n"]
        {
            assert_eq!(key().verifier().open(bad), Err(NoteError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn texts_that_are_no_checkpoints_are_refused() {
        for text in ["a\n1\n", "a\n01\nAAAA\n", "a\n1\nAAAA\n", "a\n+1\nAAAA\n", "\n1\nAAAA\n", "a\n1\nx\nmore\n"] {
            let note = key().sign(text);
            assert_eq!(Checkpoint::open(&note, &key().verifier()), Err(NoteError::NotACheckpoint), "{text:?}");
        }
    }
}
