//! Where a value comes from: the request, or a step before.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the caller sent, as a source.
pub const REQUEST: &str = "request";

/// Where a value comes from: `request.age`, `score.probabilities`, or one column of it as in `score.probabilities[1]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// `None`: the request.
    pub step: Option<String>,
    pub field: String,
    /// Index into the last dimension.
    pub column: Option<usize>,
}

/// A text that names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a source: write `request.FIELD`, `STEP.OUTPUT` or `STEP.OUTPUT[COLUMN]`")]
pub struct SourceError(String);

impl Source {
    pub fn request(field: impl Into<String>) -> Self {
        Self { step: None, field: field.into(), column: None }
    }

    pub fn output(step: impl Into<String>, field: impl Into<String>) -> Self {
        Self { step: Some(step.into()), field: field.into(), column: None }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.step.as_deref().unwrap_or(REQUEST), self.field)?;
        match self.column {
            Some(column) => write!(f, "[{column}]"),
            None => Ok(()),
        }
    }
}

impl FromStr for Source {
    type Err = SourceError;
    fn from_str(text: &str) -> Result<Self, SourceError> {
        let wrong = || SourceError(text.to_owned());
        let (step, rest) = text.split_once('.').ok_or_else(wrong)?;
        let (field, column) = match rest.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
            Some((field, column)) => (field, Some(column.parse().map_err(|_| wrong())?)),
            None => (rest, None),
        };
        if step.is_empty() || field.is_empty() {
            return Err(wrong());
        }
        Ok(Self { step: (step != REQUEST).then(|| step.to_owned()), field: field.to_owned(), column })
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Source {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Source".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[^.]+\\.[^\\[]+(\\[[0-9]+\\])?$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_written_and_read() {
        for text in ["request.age", "score.probabilities", "score.probabilities[1]", "a.b.c[0]"] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        for text in ["age", ".age", "score.", "score.p[x]", "score.[1]", ""] {
            assert!(text.parse::<Source>().is_err(), "{text}");
        }
    }
}
