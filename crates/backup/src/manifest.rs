//! What belongs to one backup: the home, the moment, and the digests of all its parts.
//!
//! Version 1: canonical JSON. The object's name is the time (20 digits, microseconds) and the digest of its bytes, so that
//! names sort by time and a damaged manifest is told from a whole one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stemma_core::{Digest, Timestamp, canonical, id::HomeId};

use crate::{
    files::{Rule, rule},
    keys::{Keys, is_key},
};

const VERSION: u32 = 1;
/// Hex digits of a manifest's digest that people are shown.
const SHOWN: usize = 12;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    v: u32,
    pub home: HomeId,
    /// Right before the ledger's moment was held: what was acknowledged by then is in it.
    pub made: Timestamp,
    /// Version of the program that made it.
    pub program: String,
    pub ledger: LedgerPart,
    /// Everything that the home's store held.
    pub contents: ListPart,
    pub files: Vec<FilePart>,
    pub keys: Keys,
    /// Keys that the home had and that were left out, by their paths in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Whether the ledger lay in a PostgreSQL database.
    pub in_database: bool,
}

/// The ledger's transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerPart {
    pub digest: Digest,
    pub events: u64,
    /// Base64 of the tree's root.
    pub root: String,
}

/// A list of contents (`stemma_core::content_list`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPart {
    pub digest: Digest,
    pub number: u64,
}

/// A file of the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePart {
    /// Its path in the home.
    pub path: String,
    pub digest: Digest,
    pub size: u64,
}

/// The parts of a manifest that its maker knows.
pub struct Parts {
    pub home: HomeId,
    pub made: Timestamp,
    pub program: String,
    pub ledger: LedgerPart,
    pub contents: ListPart,
    pub files: Vec<FilePart>,
    pub keys: Keys,
    pub left_out: Vec<String>,
    pub in_database: bool,
}

impl Manifest {
    pub fn new(parts: Parts) -> Self {
        let Parts { home, made, program, ledger, contents, files, keys, left_out, in_database } = parts;
        Self { v: VERSION, home, made, program, ledger, contents, files, keys, left_out, in_database }
    }

    /// The object's bytes, its name, and what people call it.
    pub fn written(&self) -> (Vec<u8>, String, String) {
        let (digest, bytes) = canonical::digest(self).expect("a manifest is numbers and texts");
        let name = format!("{:020}-{}", self.made.micros().max(0), digest.hex());
        (bytes, name, shown(&digest))
    }

    /// Reads an object; the error says what is wrong with it.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            v: u32,
        }
        let digest = digest_in(name).ok_or_else(|| format!("`{name}` is no name of a backup"))?;
        if Digest::of(bytes) != digest {
            return Err("its bytes are not what they were".to_owned());
        }
        let Versioned { v } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if v != VERSION {
            return Err(format!("it has format {v}, which this program does not know; use a newer Stemma"));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Whoever can write where it lies can write one: it may name nothing but files that a backup of a home has.
    fn check(&self) -> Result<(), String> {
        if let Some(file) = self.files.iter().find(|file| !goes_along(&file.path)) {
            return Err(format!("it names a file `{}`, which can't be in a home's backup", file.path));
        }
        if let Some(path) = self.left_out.iter().find(|path| !(is_plain(path) && is_key(path))) {
            return Err(format!("it names a key `{path}`, which can't be in a home"));
        }
        let mut seen = BTreeSet::new();
        let mut paths = self.files.iter().map(|file| &file.path).chain(&self.left_out);
        if let Some(path) = paths.find(|path| !seen.insert(path.as_str())) {
            return Err(format!("it names `{path}` twice"));
        }
        let has_keys = self.files.iter().any(|file| is_key(&file.path));
        match self.keys {
            Keys::Included if !self.left_out.is_empty() => {
                Err("it says that the keys are in it, and names some that are not".to_owned())
            }
            Keys::LeftOut if has_keys => Err("it says that no key is in it, and has one".to_owned()),
            _ => Ok(()),
        }
    }

    /// The contents that are no content of the home: transcript, list and files.
    pub fn own_contents(&self) -> Vec<Digest> {
        let files = self.files.iter().map(|file| file.digest);
        [self.ledger.digest, self.contents.digest].into_iter().chain(files).collect()
    }
}

/// What people call a backup, by its object's name.
pub fn id_of(name: &str) -> Option<String> {
    digest_in(name).map(|digest| shown(&digest))
}

fn digest_in(name: &str) -> Option<Digest> {
    let (time, hex) = name.split_once('-')?;
    let is_time = time.len() == 20 && time.bytes().all(|byte| byte.is_ascii_digit());
    if is_time { format!("b3:{hex}").parse().ok() } else { None }
}

fn shown(digest: &Digest) -> String {
    digest.hex()[..SHOWN].to_owned()
}

/// Whether a backup takes a file of this path along. Where `A` and `a` are one file, neither stands for the other.
fn goes_along(path: &str) -> bool {
    is_plain(path) && [path, &path.to_ascii_lowercase()].into_iter().all(|path| rule(path) != Rule::Stays)
}

/// A path that leads nowhere but into the folder where it begins.
fn is_plain(path: &str) -> bool {
    let is_name = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\0', '\\']);
    !path.is_empty() && path.split('/').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(path: &str) -> Manifest {
        let digest = Digest::of(b"");
        Manifest::new(Parts {
            home: "01922b23c4d57e6f8a9b0c1d2e3f4a5b".parse().unwrap(),
            made: Timestamp(1_700_000_000_000_001),
            program: "0.1.0".to_owned(),
            ledger: LedgerPart { digest, events: 7, root: "AQI=".to_owned() },
            contents: ListPart { digest, number: 3 },
            files: vec![FilePart { path: path.to_owned(), digest, size: 0 }],
            keys: Keys::LeftOut,
            left_out: vec!["prediction.key".to_owned()],
            in_database: false,
        })
    }

    const EMPTY: &str = "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

    #[test]
    fn the_form_is_frozen() {
        let (bytes, name, id) = manifest("home.json").written();
        let text = format!(
            r#"{{"contents":{{"digest":"{EMPTY}","number":3}},"files":[{{"digest":"{EMPTY}","path":"home.json","size":0}}],"home":"01922b23c4d57e6f8a9b0c1d2e3f4a5b","in_database":false,"keys":"left_out","ledger":{{"digest":"{EMPTY}","events":7,"root":"AQI="}},"left_out":["prediction.key"],"made":1700000000000001,"program":"0.1.0","v":1}}"#
        );
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), text);
        let hex = Digest::of(text.as_bytes()).hex();
        assert_eq!((name.as_str(), id.as_str()), (format!("00001700000000000001-{hex}").as_str(), &hex[..12]));
        assert_eq!(Manifest::read(&name, &bytes).unwrap(), manifest("home.json"));
        assert_eq!(id_of(&name).unwrap(), id);
    }

    #[test]
    fn what_is_none_is_refused() {
        let (bytes, name, _) = manifest("home.json").written();
        let refused = |name: &str, bytes: &[u8], why: &str| {
            let error = Manifest::read(name, bytes).unwrap_err();
            assert!(error.contains(why), "{error}");
        };
        refused(&name, &bytes[1..], "not what they were");
        refused("readme.txt", &bytes, "no name of a backup");
        let named = |bytes: &[u8]| format!("00001700000000000001-{}", Digest::of(bytes).hex());
        let newer = String::from_utf8(bytes).unwrap().replace("\"v\":1", "\"v\":2").into_bytes();
        refused(&named(&newer), &newer, "format 2");
        refused(&named(b"{}"), b"{}", "missing field");
        for path in ["", "/etc/passwd", "../x", "a//b", "a/./b", "a/..", "a\0"] {
            let (bytes, name, _) = manifest(path).written();
            refused(&name, &bytes, "can't be in a home");
        }
        for path in
            ["ledger.db", "ledger.db-wal", "Ledger.db", "content/packs/1.pack", "backups/parts/packs/1.pack", "x.new"]
        {
            let (bytes, name, _) = manifest(path).written();
            refused(&name, &bytes, &format!("`{path}`, which can't be in a home's backup"));
        }
    }

    #[test]
    fn keys_are_where_it_says() {
        let read = |change: &dyn Fn(&mut Manifest)| {
            let mut manifest = manifest("home.json");
            change(&mut manifest);
            let (bytes, name, _) = manifest.written();
            Manifest::read(&name, &bytes).map(drop)
        };
        let file = |path: &str| FilePart { path: path.to_owned(), digest: Digest::of(b""), size: 0 };
        for path in ["/root/.ssh/id.key", "../prediction.key", "checkpoints/../../x.key", "home.json", ""] {
            let refused = read(&|manifest| manifest.left_out = vec![path.to_owned()]).unwrap_err();
            assert_eq!(refused, format!("it names a key `{path}`, which can't be in a home"));
        }
        let twice = read(&|manifest| manifest.files.push(file("home.json"))).unwrap_err();
        assert_eq!(twice, "it names `home.json` twice");
        let twice = read(&|manifest| manifest.left_out.push("prediction.key".to_owned())).unwrap_err();
        assert_eq!(twice, "it names `prediction.key` twice");
        let both = read(&|manifest| manifest.keys = Keys::Included).unwrap_err();
        assert_eq!(both, "it says that the keys are in it, and names some that are not");
        let has = read(&|manifest| manifest.files.push(file("checkpoints/signing.key"))).unwrap_err();
        assert_eq!(has, "it says that no key is in it, and has one");
        assert_eq!(read(&|manifest| (manifest.keys, manifest.left_out) = (Keys::Included, Vec::new())), Ok(()));
    }
}
