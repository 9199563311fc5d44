//! Names of content: BLAKE3 of the plain bytes (`b3:<hex>`), with SHA-256 recorded beside it.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Length of both digests in bytes.
pub const DIGEST_LEN: usize = 32;

/// A text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a digest; expected `{prefix}` followed by 64 lower-case hex digits")]
pub struct DigestError {
    pub text: String,
    pub prefix: &'static str,
}

macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; DIGEST_LEN]);

        impl $name {
            /// What the text form starts with.
            pub const PREFIX: &'static str = $prefix;

            pub const fn from_bytes(bytes: [u8; DIGEST_LEN]) -> Self {
                Self(bytes)
            }

            /// Reads a digest from a slice; `None` unless it is exactly 32 bytes long.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            pub const fn as_bytes(&self) -> &[u8; DIGEST_LEN] {
                &self.0
            }

            /// The 64 hex digits without the prefix, as `b3sum` or `sha256sum` print them.
            pub fn hex(&self) -> String {
                HEXLOWER.encode(&self.0)
            }

            pub fn from_hex(hex: &str) -> Option<Self> {
                let bytes = HEXLOWER.decode(hex.as_bytes()).ok()?;
                Self::from_slice(&bytes)
            }

            /// The first twelve hex digits, for people; never an identity.
            pub fn short(&self) -> String {
                self.hex()[..12].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", Self::PREFIX, self.hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", Self::PREFIX, self.short())
            }
        }

        impl FromStr for $name {
            type Err = DigestError;
            fn from_str(text: &str) -> Result<Self, DigestError> {
                text.strip_prefix(Self::PREFIX)
                    .and_then(Self::from_hex)
                    .ok_or_else(|| DigestError { text: text.to_owned(), prefix: Self::PREFIX })
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": concat!("^", $prefix, "[0-9a-f]{64}$") })
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

digest_type!(
    /// BLAKE3 of plain content: the identity of every blob, tree and canonical record.
    Digest,
    "b3:"
);
digest_type!(
    /// SHA-256 of plain content, kept as a second name so that other tools agree with us.
    Sha256,
    "sha256:"
);

impl Digest {
    /// Returns the digest of bytes that are already in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl Sha256 {
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }
}

/// Either name of a piece of content, as a person may type it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentId {
    Blake3(Digest),
    Sha256(Sha256),
}

impl FromStr for ContentId {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        if text.starts_with(Sha256::PREFIX) { text.parse().map(Self::Sha256) } else { text.parse().map(Self::Blake3) }
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blake3(digest) => digest.fmt(f),
            Self::Sha256(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_nothing_is_what_b3sum_and_sha256sum_print() {
        assert_eq!(Digest::of(b"").to_string(), "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
        assert_eq!(
            Sha256::of(b"").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn text_and_json_round_trip() {
        let digest = Digest::of(b"stemma");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    }

    #[test]
    fn upper_case_short_and_foreign_prefixes_are_refused() {
        let hex = Digest::of(b"x").hex();
        for text in [format!("b3:{}", hex.to_uppercase()), format!("b3:{}", &hex[1..]), format!("md5:{hex}"), hex] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
