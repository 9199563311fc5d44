//! Who acts, and when two names are one person.

use std::{fmt, str::FromStr};

use super::{
    alike::{are_alike, fold},
    check::{NAME_BYTES_MAX, NameError, check_component},
};
use serde::{Deserialize, Deserializer, Serialize};

/// Who acts: an e-mail address or a service name. Unlike other names it may hold `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PrincipalName(String);

impl PrincipalName {
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        match check_component(&text) {
            Ok(()) if text.trim() == text => Ok(Self(text)),
            Ok(()) => Err(NameError { kind: "principal", text, reason: "it starts or ends with white space" }),
            Err(reason) => Err(NameError { kind: "principal", text, reason }),
        }
    }

    /// The caller on a loopback address who showed no credential and asserted no name.
    pub fn anonymous() -> Self {
        Self("anonymous".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both names are one person, whatever the spelling: upper case, compatible forms, dots at the end, and
    /// letters of other scripts that look the same (the skeletons of Unicode Technical Standard 39).
    ///
    /// That two names without anything in common are one person can't be seen: whoever hands out tokens vouches for it.
    pub fn is_same_person(&self, other: &Self) -> bool {
        are_alike(&self.folded(), &other.folded())
    }

    fn folded(&self) -> String {
        let folded = fold(&self.0);
        let labels: Vec<&str> = folded.split('@').map(|part| part.trim_end_matches('.').trim()).collect();
        labels.join("@")
    }

    /// Names that stand for no person: nobody can be given a token under one.
    pub fn is_reserved(&self) -> bool {
        [Self::anonymous(), Self("stemma".to_owned())].iter().any(|reserved| reserved.is_same_person(self))
    }
}

impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl schemars::JsonSchema for PrincipalName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PrincipalName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "maxLength": NAME_BYTES_MAX })
    }
}

impl FromStr for PrincipalName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for PrincipalName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PrincipalName {
        PrincipalName::new(text).unwrap()
    }

    #[test]
    fn one_person_in_several_spellings() {
        for (one, other) in [
            ("eve@x.example", "eve@x.example"),
            ("eve@x.example", "Eve@X.Example"),
            ("eve@x.example", "eve@x.example."),
            ("eve@x.example", "eve.@x.example"),
            ("eve@x.example", "\u{435}ve@x.example"),
            ("eve@x.example", "\u{415}ve@x.example"),
            ("eve@x.example", "e\u{475}e@x.example"),
            ("eve@x.example", "ev\u{ff45}@x.example"),
            ("\u{f6}zg\u{fc}r@x.example", "\u{d6}ZG\u{dc}R@x.example"),
            ("paypal", "\u{440}\u{430}yp\u{430}l"),
            ("\u{440}\u{430}y", "p\u{430}\u{443}"),
        ] {
            assert!(name(one).is_same_person(&name(other)), "{one} {other}");
            assert!(name(other).is_same_person(&name(one)), "{other} {one}");
        }
    }

    #[test]
    fn different_people_stay_different() {
        for (one, other) in [
            ("eve@x.example", "eve@y.example"),
            ("eve@x.example", "eva@x.example"),
            ("burn@x.example", "bum@x.example"),
            ("team1", "teaml"),
            ("zo\u{eb}@x.example", "zoe@x.example"),
            ("ci", "ci-2"),
        ] {
            assert!(!name(one).is_same_person(&name(other)), "{one} {other}");
        }
    }

    #[test]
    fn nobody_is_called_as_nobody_is() {
        for text in ["anonymous", "Anonymous", "stemma", "STEMMA.", "\u{430}nonymous"] {
            assert!(name(text).is_reserved(), "{text}");
        }
        assert!(!name("stemma@x.example").is_reserved());
    }
}
