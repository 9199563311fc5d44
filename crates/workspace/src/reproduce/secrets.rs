//! Searches what came out of other people's code for secrets of whoever ran it, before anything of it is sent.
//!
//! A secret is found as it is, backwards, in hexadecimal digits, in Base64 wherever it begins, and in UTF-16. Content that
//! is compressed or encrypted can't be searched this way; the walls around the code are what keeps secrets in.

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, Read},
};

use aho_corasick::{AhoCorasick, BuildError};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER};

/// A shorter text is found everywhere.
pub const SECRET_BYTES_MIN: usize = 8;
/// Of longer secrets the beginning is looked for.
const SECRET_BYTES_MAX: usize = 4096;

/// Something that nobody else may learn.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// For people: where it lies. Never the secret.
    pub name: String,
    pub value: Vec<u8>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Secrets that are looked for, all at once.
#[derive(Debug)]
pub struct Search {
    names: Vec<String>,
    /// For each pattern, whose it is.
    owners: Vec<usize>,
    patterns: AhoCorasick,
}

impl Search {
    /// Secrets that are too short to be told from chance are left out.
    pub fn new(secrets: &[Secret]) -> Result<Self, BuildError> {
        let secrets: Vec<&Secret> = secrets.iter().filter(|secret| secret.value.len() >= SECRET_BYTES_MIN).collect();
        let (mut owners, mut patterns) = (Vec::new(), Vec::new());
        for (owner, secret) in secrets.iter().enumerate() {
            for pattern in forms(&secret.value[..secret.value.len().min(SECRET_BYTES_MAX)]) {
                owners.push(owner);
                patterns.push(pattern);
            }
        }
        let names = secrets.iter().map(|secret| secret.name.clone()).collect();
        Ok(Self { names, owners, patterns: AhoCorasick::new(patterns)? })
    }

    /// How many secrets are looked for.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the names of the secrets that are in a content.
    pub fn in_content(&self, content: impl Read) -> io::Result<BTreeSet<&str>> {
        let mut found = BTreeSet::new();
        if self.is_empty() {
            return Ok(found);
        }
        for one in self.patterns.stream_find_iter(content) {
            found.insert(self.names[self.owners[one?.pattern().as_usize()]].as_str());
        }
        Ok(found)
    }
}

/// A secret in all the forms in which it is found.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let backwards: Vec<u8> = secret.iter().rev().copied().collect();
    let mut forms = vec![secret.to_vec()];
    for bytes in [secret, &backwards] {
        forms.extend([HEXLOWER, HEXUPPER].map(|digits| digits.encode(bytes).into_bytes()));
        for start in 0..3 {
            forms.extend([BASE64_NOPAD, BASE64URL_NOPAD].map(|encoding| in_base64(bytes, start, &encoding)));
        }
    }
    for byte_order in [u16::to_le_bytes, u16::to_be_bytes] {
        forms.push(secret.iter().flat_map(|byte| byte_order(u16::from(*byte))).collect());
    }
    forms.push(backwards);
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// The letters that do not depend on what stands before or behind: before, there are `start` bytes more than whole
/// groups of three.
fn in_base64(secret: &[u8], start: usize, encoding: &Encoding) -> Vec<u8> {
    let shifted = [&vec![0; start], secret].concat();
    let letters = encoding.encode(&shifted).into_bytes();
    let (first, last) = ((start * 8).div_ceil(6), shifted.len() * 8 / 6);
    letters[first..last].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &[u8] = b"stm_0123456789abcdefg?>~";

    fn search() -> Search {
        let secret = |name: &str, value: &[u8]| Secret { name: name.into(), value: value.into() };
        Search::new(&[secret("the token", TOKEN), secret("another", b"hunter2hunter2"), secret("short", b"1234567")])
            .unwrap()
    }

    #[track_caller]
    fn check(content: &[u8], expected: &[&str]) {
        let found: Vec<&str> =
            search().in_content(content).unwrap().into_iter().map(|name| name.to_owned().leak() as &str).collect();
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(content));
    }

    #[test]
    fn a_secret_is_found_in_every_form_and_place() {
        let backwards: Vec<u8> = TOKEN.iter().rev().copied().collect();
        for before in 0..7usize {
            let around = |bytes: &[u8]| [&vec![b'x'; before], bytes, b"yz".as_slice()].concat();
            check(&around(TOKEN), &["the token"]);
            check(&around(&backwards), &["the token"]);
            for encoding in [BASE64_NOPAD, BASE64URL_NOPAD, data_encoding::BASE64] {
                check(encoding.encode(&around(TOKEN)).as_bytes(), &["the token"]);
                check(encoding.encode(&around(&backwards)).as_bytes(), &["the token"]);
            }
            check(HEXLOWER.encode(&around(TOKEN)).as_bytes(), &["the token"]);
            check(HEXUPPER.encode(&around(&backwards)).as_bytes(), &["the token"]);
        }
        let text = String::from_utf8(TOKEN.to_vec()).unwrap();
        check(&text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), &["the token"]);
        check(&text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>(), &["the token"]);
    }

    #[test]
    fn several_are_named_and_what_is_none_is_not() {
        check(&[TOKEN, b" and hunter2hunter2"].concat(), &["another", "the token"]);
        check(b"1234567 stm_0123456789abcdef hunter2", &[]);
        check(b"", &[]);
        assert_eq!(search().len(), 2, "what is too short is not looked for");
        assert!(!format!("{:?}", Secret { name: "n".into(), value: TOKEN.into() }).contains("0123"));
    }

    #[test]
    fn a_secret_on_the_edge_of_what_is_read_at_once_is_found() {
        for at in [65_530, 65_536, 131_070] {
            let mut content = vec![b'.'; at];
            content.extend(TOKEN);
            content.extend(vec![b'.'; 100_000]);
            check(&content, &["the token"]);
        }
    }
}
