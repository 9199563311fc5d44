//! Names that people give, each its own type, checked once at the edge.
//!
//! A name is one path component by the rules that keep paths, URLs and shells out of trouble: NFC, no
//! control characters, none of `/ \ : % # ? ; @`, no leading `.`, `-` or `~`, at most 255 bytes.

mod principal;

use std::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};
use unicode_normalization::UnicodeNormalization as _;

pub use principal::PrincipalName;

use crate::visible::is_hidden;

/// Longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// A text that can't be a name, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {kind} name: {reason}")]
pub struct NameError {
    pub kind: &'static str,
    pub text: String,
    pub reason: &'static str,
}

/// Checks one path component; returns what is wrong with it.
pub fn check_component(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > NAME_BYTES_MAX {
        return Err("it is longer than 255 bytes");
    }
    if text == "." || text == ".." {
        return Err("`.` and `..` are not names");
    }
    if text.starts_with('~') {
        return Err("it starts with `~`");
    }
    if text.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    if let Some(bad) = text.chars().find(|c| r"/\:%#?;".contains(*c)) {
        return Err(match bad {
            '/' | '\\' => "it has a path separator",
            ':' => "it has a `:`",
            '%' => "it has a `%`",
            _ => "it has one of `#`, `?`, `;`",
        });
    }
    if !text.is_ascii() && !text.nfc().eq(text.chars()) {
        return Err("it is not in Unicode normal form C");
    }
    Ok(())
}

/// Checks that a new name shows all of itself; returns what is wrong with it. Not part of the names' types: what was named
/// before this was asked must still be found.
pub fn check_shown(text: &str) -> Result<(), &'static str> {
    match text.chars().any(is_hidden) {
        true => Err("it has a letter that nobody sees"),
        false => Ok(()),
    }
}

/// The tool that keeps its own state in a folder of this name, in any spelling that some file system or Git takes for the
/// same: HFS+ leaves out what is not seen and folds case, NTFS leaves out dots and spaces at the end, takes a `:` for the
/// start of a stream, and gives short names as in `GIT~1`.
pub fn tool_of_component(component: &str) -> Option<&'static str> {
    let seen = component.chars().filter(|letter| !is_hidden(*letter));
    let folded: String = seen.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    let file = folded.split(':').next().unwrap_or(&folded).trim_end_matches([' ', '.']);
    let stem = file.split_once('~').filter(|(_, number)| is_number(number)).map(|(stem, _)| stem);
    // after the fourth of a kind the short name is two letters and four digits of a hash
    let is_hashed = |stem: &str, start: &str| {
        let hash = stem.strip_prefix(start);
        hash.is_some_and(|hash| hash.len() == 4 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    match (file, stem) {
        (".git", _) | (_, Some("git")) => Some("Git"),
        (".stemma", _) | (_, Some("stemma")) => Some("Stemma"),
        (_, Some(stem)) if is_hashed(stem, "gi") => Some("Git"),
        (_, Some(stem)) if is_hashed(stem, "st") => Some("Stemma"),
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Checks a name that people give to a thing: a path component without `@`, spaces at the ends, or a leading `.` or `-`.
pub fn check_name(text: &str) -> Result<(), &'static str> {
    check_component(text)?;
    if text.contains('@') {
        return Err("`@` separates a name from its version");
    }
    if text.starts_with(['.', '-']) {
        return Err("it starts with `.` or `-`");
    }
    if text.trim() != text {
        return Err("it starts or ends with white space");
    }
    Ok(())
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                match check_name(&text) {
                    Ok(()) => Ok(Self(text)),
                    Err(reason) => Err(NameError { kind: $kind, text, reason }),
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "maxLength": NAME_BYTES_MAX })
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type!(
    /// Namespace and permission scope; [`ProjectName::default_project`] exists from the start.
    ProjectName,
    "project"
);
name_type!(ModelName, "model");
name_type!(DatasetName, "dataset");
name_type!(EndpointName, "endpoint");
name_type!(
    /// A movable pointer to a model version, written `model@alias`.
    AliasName,
    "alias"
);
name_type!(GateName, "gate");
name_type!(
    /// A regression case; also the name of its file without `.json`.
    CaseName,
    "case"
);

impl ProjectName {
    pub fn default_project() -> Self {
        Self("default".to_owned())
    }
}

/// A relative path inside a tree or a workspace: components joined by `/`, each valid by [`check_component`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TreePath(String);

impl TreePath {
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        for component in text.split('/') {
            if let Err(reason) = check_component(component) {
                return Err(NameError { kind: "path", text, reason });
            }
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The path `below` this one.
    pub fn join(&self, below: &Self) -> Self {
        Self(format!("{}/{}", self.0, below.0))
    }

    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl schemars::JsonSchema for TreePath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TreePath".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

impl FromStr for TreePath {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for TreePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in ["credit-score", "german_credit", "Ünïcode", "a b", "v1.2", "x+y"] {
            assert!(ModelName::new(name).is_ok(), "{name}");
        }
        assert!(PrincipalName::new("ada@example.org").is_ok());
        assert!(TreePath::new("data/train.csv").is_ok());
    }

    #[test]
    fn folders_of_tools_are_known_in_every_spelling() {
        for name in [
            ".git",
            ".GIT",
            ".Git",
            ".git.",
            ".git..",
            ".git ",
            ".git. .",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".git\u{200d}",
            ".gi\u{202e}t",
            ".g\u{131}t",
            ".git::$INDEX_ALLOCATION",
            ".git:x",
            "git~1",
            "GIT~1",
            "git~12",
            "git~1.",
            "gi7eba~1",
            ".stemma",
            ".STEMMA.",
            ".\u{17f}temma",
            ".stem\u{200b}ma",
            ".stemma::$DATA",
            "stemma~1",
            "STEMMA~2 ",
            "st0a1b~1",
        ] {
            let tool = if name.to_lowercase().contains("st") || name.contains('\u{17f}') { "Stemma" } else { "Git" };
            assert_eq!(tool_of_component(name), Some(tool), "{name:?}");
        }
        for name in [
            "git",
            ".gitignore",
            ".gitattributes",
            ".github",
            "a.git",
            "git~",
            "git~x",
            "git~1.txt",
            "git1",
            "legit~1",
            "stemma",
            "stemma.toml",
            ".stemmata",
            "start~1",
            "given~1",
            "gift12~1",
            "~1",
            "",
        ] {
            assert_eq!(tool_of_component(name), None, "{name:?}");
        }
    }

    #[test]
    fn hostile_names_are_refused_with_a_reason() {
        let corpus = [
            "",
            ".",
            "..",
            "../x",
            "..\\x",
            "%2e%2e%2f",
            "a%252e",
            "..;/",
            "a;b",
            "a\0b",
            "file:///etc/passwd",
            "file:etc",
            "//host/x",
            "C:\\x",
            "\\\\?\\x",
            "#/../",
            "?a=/../",
            "~root",
            "a\nb",
            "e\u{301}",
            "/abs",
            "a//b",
            "a/",
            "-flag",
            ".hidden",
            " a",
            "a ",
            "m@1",
        ];
        for name in corpus {
            assert!(ModelName::new(name).is_err(), "{name:?}");
        }
        for path in ["", "/abs", "a//b", "a/", "../x", "a/../b", "a/./b", "a\\b", "a/%2e%2e/b", "C:/x"] {
            assert!(TreePath::new(path).is_err(), "{path:?}");
        }
    }
}
