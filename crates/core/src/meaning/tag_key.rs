//! Keys of tags.

use std::{borrow::Borrow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// Most tags of one thing.
pub const TAGS_MAX: usize = 200;
/// Longest key, in bytes.
pub const TAG_KEY_BYTES_MAX: usize = 128;
/// Letters of a refused key that are repeated.
const SHOWN_CHARS_MAX: usize = 40;

/// The key of a tag, as in `team` or `pii/level`. In ASCII, so that no two keys look alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TagKey(String);

/// A text that can't be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` can't be the key of a tag: {reason}")]
pub struct TagKeyError {
    /// Its beginning, with every letter visible.
    pub shown: String,
    pub reason: &'static str,
}

impl TagKey {
    pub fn new(text: impl Into<String>) -> Result<Self, TagKeyError> {
        let text = text.into();
        let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || b"-_./".contains(&letter);
        let reason = match text.as_bytes() {
            [] => "it is empty",
            bytes if bytes.len() > TAG_KEY_BYTES_MAX => "it is longer than 128 bytes",
            bytes if !bytes.iter().copied().all(is_plain) => "it has other letters than `a-z`, `A-Z`, `0-9`, `-_./`",
            [first, ..] if !first.is_ascii_alphanumeric() => "it does not begin with a letter or a digit",
            _ => return Ok(Self(text)),
        };
        let shown = text.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
        Err(TagKeyError { shown, reason })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TagKey {
    type Err = TagKeyError;

    fn from_str(text: &str) -> Result<Self, TagKeyError> {
        Self::new(text)
    }
}

impl Borrow<str> for TagKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TagKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for TagKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TagKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": TAG_KEY_BYTES_MAX,
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._/-]*$",
            "description": "the key of a tag"
        })
    }
}

impl From<TagKeyError> for crate::Problem {
    fn from(error: TagKeyError) -> Self {
        Self::invalid(error.to_string()).hint("for example `team` or `pii/level`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_plain_words() {
        for text in ["team", "pii/level", "a.b-c_D", "2026", &"k".repeat(128)] {
            assert_eq!(TagKey::new(text).unwrap().as_str(), text);
        }
        for (text, word) in [
            ("", "empty"),
            (&"k".repeat(129), "longer than 128 bytes"),
            ("te am", "other letters"),
            // Cyrillic letters that look like `team`
            ("t\u{435}\u{430}m", "other letters"),
            ("team\u{202e}", "team\\u{202e}"),
            ("a=b", "other letters"),
            ("<script>", "other letters"),
            ("-x", "does not begin"),
            ("a\nb", "a\\nb"),
        ] {
            let error = TagKey::new(text).unwrap_err().to_string();
            assert!(error.contains(word) && error.len() < 200, "{error}");
        }
    }
}
