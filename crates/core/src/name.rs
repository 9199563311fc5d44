//! Names that people give, each its own type, checked once at the edge.
//!
//! A name is one path component by the rules that keep paths, URLs and shells out of trouble: NFC, no
//! control characters, none of `/ \ : % # ? ; @`, no leading `.`, `-` or `~`, at most 255 bytes.

mod alike;
mod check;
mod principal;

use std::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};

pub use self::{
    alike::{are_alike, fold, looks_like},
    check::{NAME_BYTES_MAX, NameError, check_component, check_name, check_shown, tool_of_component},
    principal::PrincipalName,
};

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
name_type!(
    /// Words that somebody chose for one version of a model, written `model@label`. Unlike an alias it never moves.
    VersionLabel,
    "label"
);
name_type!(GateName, "gate");
name_type!(
    /// People who look at a version with the same eyes, as the rules of a model name them.
    GroupName,
    "group"
);
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
    fn t01_hostile_names_are_refused_with_a_reason() {
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
