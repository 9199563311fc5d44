//! Identifiers that Stemma makes itself, each its own type.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind} id; expected 32 lower-case hex digits")]
pub struct IdError {
    pub kind: &'static str,
    pub text: String,
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new id that sorts after all earlier ones of this process (UUIDv7, RFC 9562).
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            pub const fn from_u128(value: u128) -> Self {
                Self(Uuid::from_u128(value))
            }

            pub const fn as_u128(self) -> u128 {
                self.0.as_u128()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.simple().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($kind, ":{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let canonical = text.len() == 32
                    && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                match Uuid::try_parse(text) {
                    Ok(uuid) if canonical => Ok(Self(uuid)),
                    _ => Err(IdError { kind: $kind, text: text.to_owned() }),
                }
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id_type!(
    /// One execution. The text form is also a valid MLflow run id.
    RunId,
    "run"
);
id_type!(
    /// One folder in which people work, on one machine: paths mean the same only within it.
    WorkspaceId,
    "workspace"
);
id_type!(HomeId, "home");
id_type!(TokenId, "token");
id_type!(EvidenceId, "evidence");
id_type!(ApprovalId, "approval");
id_type!(
    /// One HTTP request or command; the key under which a commit is done at most once.
    RequestId,
    "request"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_round_trip() {
        let (first, second) = (RunId::generate(), RunId::generate());
        assert!(first < second);
        assert_eq!(first.to_string().parse(), Ok(first));
        assert_eq!(first.to_string().len(), 32);
    }

    #[test]
    fn other_spellings_of_a_uuid_are_refused() {
        let id = RunId::generate();
        assert!(
            id.to_string().to_uppercase().parse::<RunId>().is_err() || !id.to_string().contains(char::is_alphabetic)
        );
        assert!("67e55044-10b1-426f-9247-bb680e5fe0c8".parse::<RunId>().is_err());
    }
}
