//! Signed heads as the C2SP specifications write them: signed notes over transparency-log checkpoints by Ed25519, the
//! cosignatures of witnesses (`tlog-cosignature`), and the statement with which a key names the one that follows it.

use std::{fmt, str::FromStr};

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::merkle::Hash;
use crate::id::HomeId;

/// Longest note that is read; a checkpoint takes some 300 bytes, each cosignature some 200 more.
const NOTE_BYTES_MAX: usize = 16 << 10;
const ORIGIN_PREFIX: &str = "stemma/";

/// Why a note, a key or a statement is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("it is not a verifier key, as in `name+1a2b3c4d+AbCd…`")]
    NotAKey,
    #[error("it is not a signed checkpoint: {0}")]
    NotACheckpoint(&'static str),
    #[error("it has no signature by `{0}`")]
    NotSigned(String),
    #[error("the signature by `{0}` is wrong")]
    WrongSignature(String),
}

/// What a key signs with; the type byte of C2SP signed notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPurpose {
    /// The heads of its own ledger.
    Head = 1,
    /// The heads of others, with a time.
    Cosignature = 4,
}

/// The public half of a key with the name under which it signs: `<name>+<key id>+<base64 of type and key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    purpose: KeyPurpose,
    key: VerifyingKey,
}

impl VerifierKey {
    /// A key from what its text holds in base64: the type byte and 32 bytes.
    pub fn from_base64(name: &str, text: &str) -> Result<Self, NoteError> {
        let is_name = !name.is_empty() && !name.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control());
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| NoteError::NotAKey)?;
        let (Some((kind, key)), true) = (bytes.split_first(), is_name) else {
            return Err(NoteError::NotAKey);
        };
        let purpose = [KeyPurpose::Head, KeyPurpose::Cosignature].into_iter().find(|one| *one as u8 == *kind);
        let key = key.try_into().ok().and_then(|key| VerifyingKey::from_bytes(key).ok());
        match (purpose, key) {
            (Some(purpose), Some(key)) => Ok(Self { name: name.to_owned(), purpose, key }),
            _ => Err(NoteError::NotAKey),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub const fn purpose(&self) -> KeyPurpose {
        self.purpose
    }

    /// Base64 of the type byte and the key.
    pub fn base64(&self) -> String {
        let mut bytes = vec![self.purpose as u8];
        bytes.extend_from_slice(self.key.as_bytes());
        BASE64.encode(&bytes)
    }

    /// First four bytes of SHA-256(name ‖ newline ‖ type ‖ key).
    pub fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(&self.name)
            .chain_update(b"\n")
            .chain_update([self.purpose as u8])
            .chain_update(self.key.as_bytes())
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<[u8; 64], NoteError> {
        let wrong = || NoteError::WrongSignature(self.name.clone());
        let bytes: [u8; 64] = signature.try_into().map_err(|_| wrong())?;
        // strict: nobody may make a second signature of a message out of the first
        self.key.verify_strict(message, &Signature::from_bytes(&bytes)).map_err(|_| wrong())?;
        Ok(bytes)
    }

    /// The bytes of this key's signature in a note.
    fn signature_in(&self, signatures: &str) -> Result<Vec<u8>, NoteError> {
        let id = self.id();
        let lines = signatures.lines().filter_map(|line| line.strip_prefix("\u{2014} ")?.split_once(' '));
        let of_key = lines.filter(|(name, _)| *name == self.name).find_map(|(_, text)| {
            let bytes = BASE64.decode(text.as_bytes()).ok()?;
            bytes.strip_prefix(&id).map(<[u8]>::to_vec)
        });
        of_key.ok_or_else(|| NoteError::NotSigned(self.to_string()))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id()), self.base64())
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        // base64 may hold a `+` of its own
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::NotAKey);
        };
        let key = Self::from_base64(name, key)?;
        if HEXLOWER.encode(&key.id()) == id { Ok(key) } else { Err(NoteError::NotAKey) }
    }
}

impl Serialize for VerifierKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VerifierKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for VerifierKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VerifierKey".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "`<name>+<key id>+<base64 of type and key>`" })
    }
}

/// The name under which a home signs its heads.
pub fn origin(home: HomeId) -> String {
    format!("{ORIGIN_PREFIX}{home}")
}

/// The name under which a home co-signs the heads of others.
pub fn cosigner_name(home: HomeId) -> String {
    format!("{}/witness", origin(home))
}

/// The home whose name this is.
pub fn home_of(origin: &str) -> Option<HomeId> {
    origin.strip_prefix(ORIGIN_PREFIX)?.parse().ok()
}

/// How long a ledger is and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The name of the ledger.
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl Head {
    /// The text that is signed (C2SP `tlog-checkpoint`).
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?.to_owned(), lines.next()?, lines.next()?);
        let size = size.parse::<u64>().ok().filter(|number| number.to_string() == size)?;
        let root = BASE64.decode(root.as_bytes()).ok()?.try_into().ok()?;
        (lines.next().is_none() && !origin.is_empty()).then_some(Self { origin, size, root })
    }
}

/// A head with its ledger's own signature, which was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    head: Head,
    key: VerifierKey,
    signature: [u8; 64],
}

impl SignedHead {
    /// Reads a signed note and checks the signature of a key.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        let (text, signatures) = split(note)?;
        let head = Head::parse(&text).ok_or(NoteError::NotACheckpoint("the text is not one"))?;
        let signature = key.signature_in(signatures)?;
        Self::assemble(head, key.clone(), &signature)
    }

    /// Puts together what was kept apart, and checks the signature.
    pub fn assemble(head: Head, key: VerifierKey, signature: &[u8]) -> Result<Self, NoteError> {
        if key.purpose != KeyPurpose::Head || key.name != head.origin {
            return Err(NoteError::NotSigned(head.origin));
        }
        let signature = key.verify(head.text().as_bytes(), signature)?;
        Ok(Self { head, key, signature })
    }

    pub const fn head(&self) -> &Head {
        &self.head
    }

    pub const fn size(&self) -> u64 {
        self.head.size
    }

    pub const fn root(&self) -> &Hash {
        &self.head.root
    }

    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    pub const fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// The signed note.
    pub fn note(&self) -> String {
        format!("{}\n{}", self.head.text(), signature_line(&self.key, &self.signature))
    }
}

/// Text and signature lines of a note.
fn split(note: &str) -> Result<(String, &str), NoteError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(NoteError::NotACheckpoint("it is too long"));
    }
    let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::NotACheckpoint("no line is empty"))?;
    Ok((format!("{text}\n"), signatures))
}

fn signature_line(key: &VerifierKey, signature: &[u8]) -> String {
    let bytes = [&key.id()[..], signature].concat();
    format!("\u{2014} {} {}\n", key.name, BASE64.encode(&bytes))
}

/// A witness's word that it saw a head at a time, and nothing that contradicts it before (C2SP `tlog-cosignature`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    key: VerifierKey,
    /// Seconds since 1970-01-01T00:00:00Z.
    seconds: u64,
    signature: [u8; 64],
}

impl Cosignature {
    /// Finds a witness's cosignature in a note and checks it; returns it with the head that it is for.
    pub fn open(note: &str, key: &VerifierKey) -> Result<(Head, Self), NoteError> {
        let (text, signatures) = split(note)?;
        let head = Head::parse(&text).ok_or(NoteError::NotACheckpoint("the text is not one"))?;
        let wrong = || NoteError::WrongSignature(key.name.clone());
        if key.purpose != KeyPurpose::Cosignature {
            return Err(NoteError::NotSigned(key.to_string()));
        }
        let bytes = key.signature_in(signatures)?;
        let (time, signature) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let seconds = u64::from_be_bytes(*time);
        let signature = key.verify(cosigned_text(&head, seconds).as_bytes(), signature)?;
        Ok((head, Self { key: key.clone(), seconds, signature }))
    }

    pub const fn seconds(&self) -> u64 {
        self.seconds
    }

    /// The line to put below the note.
    pub fn line(&self) -> String {
        signature_line(&self.key, &[&self.seconds.to_be_bytes()[..], &self.signature].concat())
    }
}

fn cosigned_text(head: &Head, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{}", head.text())
}

/// A home's key names the one that signs after it. Without this statement, a new key is an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeySuccession {
    pub from: VerifierKey,
    pub to: VerifierKey,
    /// Base64 of the signature by `from`.
    pub signature: String,
}

impl KeySuccession {
    fn text(from: &VerifierKey, to: &VerifierKey) -> String {
        format!("stemma key succession v1\n{from}\n{to}\n")
    }

    /// Whether the earlier key signed it, for the same ledger.
    pub fn is_signed(&self) -> bool {
        let signature = BASE64.decode(self.signature.as_bytes());
        let text = Self::text(&self.from, &self.to);
        self.from.name == self.to.name
            && self.from.purpose == KeyPurpose::Head
            && self.to.purpose == KeyPurpose::Head
            && signature.is_ok_and(|signature| self.from.verify(text.as_bytes(), &signature).is_ok())
    }

    /// Whether one key leads to another by statements that are signed, in their order.
    pub fn lead(successions: &[Self], from: &VerifierKey, to: &VerifierKey) -> bool {
        let mut key = from;
        for succession in successions {
            if key == to {
                break;
            }
            if succession.from == *key && succession.is_signed() {
                key = &succession.to;
            }
        }
        key == to
    }
}

/// A key that can sign.
pub struct SigningKey {
    verifier: VerifierKey,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// `name` is an [`origin`] or a [`cosigner_name`]: neither has a `+` or a space.
    pub fn new(name: &str, purpose: KeyPurpose, secret: &[u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(secret);
        Self { verifier: VerifierKey { name: name.to_owned(), purpose, key: key.verifying_key() }, key }
    }

    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a head of the ledger whose name the key has.
    pub fn sign(&self, size: u64, root: Hash) -> SignedHead {
        let head = Head { origin: self.verifier.name.clone(), size, root };
        let signature = self.key.sign(head.text().as_bytes()).to_bytes();
        SignedHead { head, key: self.verifier.clone(), signature }
    }

    /// Co-signs another ledger's head.
    pub fn cosign(&self, head: &Head, seconds: u64) -> Cosignature {
        let signature = self.key.sign(cosigned_text(head, seconds).as_bytes()).to_bytes();
        Cosignature { key: self.verifier.clone(), seconds, signature }
    }

    /// Names the key that signs from now on.
    pub fn hand_over(&self, to: &VerifierKey) -> KeySuccession {
        let signature = self.key.sign(KeySuccession::text(&self.verifier, to).as_bytes()).to_bytes();
        KeySuccession { from: self.verifier.clone(), to: to.clone(), signature: BASE64.encode(&signature) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "stemma/00000000000000000000000000000007";

    fn key(secret: u8) -> SigningKey {
        SigningKey::new(HOME, KeyPurpose::Head, &[secret; 32])
    }

    fn witness() -> SigningKey {
        SigningKey::new("stemma/00000000000000000000000000000008/witness", KeyPurpose::Cosignature, &[8; 32])
    }

    /// The example of the C2SP signed-note specification.
    #[test]
    fn key_ids_are_computed_as_the_specification_does() {
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key: VerifierKey = text.parse().unwrap();
        assert_eq!((key.name(), key.to_string().as_str()), ("PeterNeumann", text));
        for wrong in
            ["", "a", "a+b", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "a b+c74f20a3+AA=="]
        {
            assert_eq!(wrong.parse::<VerifierKey>(), Err(NoteError::NotAKey), "{wrong}");
        }
    }

    /// Computed by another implementation.
    #[test]
    fn the_forms_are_frozen() {
        let signed = key(1).sign(7, [9; 32]);
        let note = "stemma/00000000000000000000000000000007\n7\nCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n\n\
                    — stemma/00000000000000000000000000000007 NOTE\n";
        let (text, line) = (signed.note(), signature_line(signed.key(), signed.signature()));
        assert_eq!(text.replace(&line, "— stemma/00000000000000000000000000000007 NOTE\n"), note);
        assert_eq!(
            signed.key().to_string(),
            "stemma/00000000000000000000000000000007+268f6486+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
        );
        assert_eq!(
            line,
            "— stemma/00000000000000000000000000000007 Jo9khohCZaqY+AY3F6GgX9/eXq/O7zRO+JmaVK/uN55tAh1UZNq2Ll4tOtpiAHK+9RoD05PXF7JKcqocahrfZOlvtAU=\n"
        );
        assert_eq!(
            witness().cosign(signed.head(), 1_700_000_000).line(),
            "— stemma/00000000000000000000000000000008/witness TWEnAAAAAABlU/EAVSAuFbK/xH2T1O+Kwogwi9DZcKC2WfVIW5XegLsXuvuhwuTzqDhVj8UlVA/UM5iYJiX8+x3kNd0oS5r1hGd5DQ==\n"
        );
        assert_eq!(
            key(1).hand_over(key(2).verifier()).signature,
            "lO9eolrz5HPm8Vfwyj7vK77n4ulyC026JhKOUGPu7WFfGUviRo4tFGhfBW5ikUlfjoTh0G8MvMMrqPHeAvwdAQ=="
        );
    }

    #[test]
    fn an_altered_note_is_not_believed() {
        let signed = key(1).sign(7, [9; 32]);
        let note = signed.note();
        assert_eq!(SignedHead::open(&note, key(1).verifier()).unwrap(), signed);
        let other = key(2).sign(7, [9; 32]).note();
        assert!(matches!(SignedHead::open(&other, key(1).verifier()), Err(NoteError::NotSigned(_))));
        for altered in [
            note.replace("\n7\n", "\n8\n"),
            note.replace("CQkJ", "CQkK"),
            note.replace("\n7\n", "\n07\n"),
            note.replacen("stemma/", "stemmb/", 1),
            note.replace("\n\n", "\nextension\n\n"),
            note.replace("\n\n", "\n"),
            note.replace("\u{2014}", "-"),
            "x".repeat(NOTE_BYTES_MAX + 1),
            String::new(),
        ] {
            assert!(SignedHead::open(&altered, key(1).verifier()).is_err(), "{altered}");
        }
    }

    #[test]
    fn a_cosignature_is_of_one_head_and_one_time() {
        let signed = key(1).sign(7, [9; 32]);
        let cosigned = witness().cosign(signed.head(), 1_700_000_000);
        let note = format!("{}{}", signed.note(), cosigned.line());
        let (head, found) = Cosignature::open(&note, witness().verifier()).unwrap();
        assert_eq!((&head, found.seconds(), &found), (signed.head(), 1_700_000_000, &cosigned));
        // the ledger's own signature is still there, and neither stands for the other
        assert_eq!(SignedHead::open(&note, key(1).verifier()).unwrap(), signed);
        assert!(Cosignature::open(&signed.note(), witness().verifier()).is_err());
        assert!(Cosignature::open(&note, key(1).verifier()).is_err());
        let moved = note.replace("\n7\n", "\n8\n");
        assert!(matches!(Cosignature::open(&moved, witness().verifier()), Err(NoteError::WrongSignature(_))));
    }

    #[test]
    fn keys_follow_each_other_only_by_statements() {
        let steps = [key(1).hand_over(key(2).verifier()), key(2).hand_over(key(3).verifier())];
        let (first, second, third) = (key(1), key(2), key(3));
        let lead = |steps: &[KeySuccession], from: &SigningKey, to: &SigningKey| {
            KeySuccession::lead(steps, from.verifier(), to.verifier())
        };
        assert!(lead(&steps, &first, &third) && lead(&steps, &second, &third) && lead(&steps, &third, &third));
        assert!(lead(&[], &first, &first));
        assert!(!lead(&steps[1..], &first, &third) && !lead(&steps, &third, &first) && !lead(&[], &first, &second));
        // somebody else's word, or one about another ledger
        let forged = KeySuccession { from: first.verifier().clone(), ..key(4).hand_over(second.verifier()) };
        assert!(!forged.is_signed() && !lead(&[forged], &first, &second));
        let elsewhere = SigningKey::new("stemma/00000000000000000000000000000009", KeyPurpose::Head, &[2; 32]);
        assert!(!first.hand_over(elsewhere.verifier()).is_signed());
        assert!(!first.hand_over(witness().verifier()).is_signed());
    }
}
