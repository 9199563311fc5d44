//! A fact of something: `kind:name=value`.

use std::fmt;
use std::str::FromStr;

use crate::StatsError;

/// How much of what is no fact is repeated in a message.
const EXCERPT_CHARS: usize = 80;

/// One thing that is known, such as `param:depth=3`.
///
/// The kind ends at the first `:` and the name at the first `=` after it; a value may hold both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fact {
    kind: String,
    name: String,
    value: String,
}

impl Fact {
    /// A kind and a name are not empty; a kind has no `:` and a name no `=`, so that a fact is read back as it was
    /// written.
    pub fn new(kind: &str, name: &str, value: &str) -> Result<Self, StatsError> {
        if kind.is_empty() || kind.contains(':') || name.is_empty() || name.contains('=') {
            let text = format!("{kind}:{name}={value}").chars().take(EXCERPT_CHARS).collect();
            return Err(StatsError::NoFact { text });
        }
        Ok(Self { kind: kind.to_owned(), name: name.to_owned(), value: value.to_owned() })
    }

    pub fn kind(&self) -> &str {
        &self.kind
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn value(&self) -> &str {
        &self.value
    }
}

impl FromStr for Fact {
    type Err = StatsError;

    fn from_str(text: &str) -> Result<Self, StatsError> {
        let parts = text.split_once(':').and_then(|(kind, rest)| Some((kind, rest.split_once('=')?)));
        match parts {
            Some((kind, (name, value))) => Self::new(kind, name, value),
            None => Err(StatsError::NoFact { text: text.chars().take(EXCERPT_CHARS).collect() }),
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}={}", self.kind, self.name, self.value)
    }
}
