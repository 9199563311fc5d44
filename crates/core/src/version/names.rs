//! Names of a version beside its number. Each is unique in its model, never moves, and is never used again.

use std::{cmp::Ordering, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Digest, Timestamp,
    id::RunId,
    name::{NAME_BYTES_MAX, NameError, VersionLabel},
};

/// Digits of the content's digest in a name.
const HASH_DIGITS: usize = 8;
/// Digits of the time in a name.
const TIME_DIGITS: usize = 14;
/// What stands in front of a run's id where it names a version.
const RUN_PREFIX: &str = "run_";

/// By what a version is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Naming {
    /// `v1.4.0`: what somebody says callers can rely on, as Semantic Versioning 2.0.0 has it.
    Semver,
    /// Words that somebody chose.
    Label,
    /// `7`: the how-many-th version of the model it is.
    Integer,
    /// `v20261130231200_2d1e951c`: when it was registered in UTC, and the beginning of its content's digest.
    TimestampHash,
    /// `run_…`: the run that wrote it, by its id.
    Run,
}

impl Naming {
    pub const ALL: [Self; 5] = [Self::Semver, Self::Label, Self::Integer, Self::TimestampHash, Self::Run];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Semver => "semver",
            Self::Label => "label",
            Self::Integer => "integer",
            Self::TimestampHash => "timestamp-hash",
            Self::Run => "run",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|naming| naming.as_str() == text)
    }
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A version of Semantic Versioning 2.0.0 (<https://semver.org/spec/v2.0.0.html>), written with a `v` so that it is never
/// taken for a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SemverName(semver::Version);

impl SemverName {
    /// Which of two comes later. What stands behind a `+` decides nothing.
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }

    /// Whether callers of another must expect to break: another major version, or before 1.0.0 another minor one.
    pub fn breaks(&self, other: &Self) -> bool {
        let line = |name: &Self| match name.0.major {
            0 => (0, name.0.minor),
            major => (major, 0),
        };
        line(self) > line(other)
    }

    /// The first that breaks callers of this one.
    #[must_use]
    pub fn next_breaking(&self) -> Self {
        Self(match self.0.major {
            0 => semver::Version::new(0, self.0.minor.saturating_add(1), 0),
            major => semver::Version::new(major.saturating_add(1), 0, 0),
        })
    }
}

impl fmt::Display for SemverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl FromStr for SemverName {
    type Err = NameError;

    /// Reads it with or without the `v`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = |reason| NameError { kind: "semver", text: text.to_owned(), reason };
        if text.len() >= NAME_BYTES_MAX {
            return Err(error("it is longer than 254 bytes"));
        }
        let version = semver::Version::parse(text.strip_prefix('v').unwrap_or(text));
        version.map(Self).map_err(|_| error("expected MAJOR.MINOR.PATCH by semver.org, as in `1.4.0` or `2.0.0-rc.1`"))
    }
}

impl JsonSchema for SemverName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SemverName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^v?[0-9]+[.][0-9]+[.][0-9]+([-+].*)?$" })
    }
}

impl Serialize for SemverName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SemverName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A name that somebody gives, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scheme", content = "name", rename_all = "kebab-case")]
pub enum GivenName {
    Semver(SemverName),
    Label(VersionLabel),
}

impl GivenName {
    pub const fn naming(&self) -> Naming {
        match self {
            Self::Semver(_) => Naming::Semver,
            Self::Label(_) => Naming::Label,
        }
    }

    /// The words that somebody chose, if they did.
    pub fn label(&self) -> Option<&str> {
        match self {
            Self::Semver(_) => None,
            Self::Label(label) => Some(label.as_str()),
        }
    }
}

impl fmt::Display for GivenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Semver(semver) => semver.fmt(f),
            Self::Label(label) => label.fmt(f),
        }
    }
}

/// The names that follow from a registration.
///
/// Two versions can come to the same one, of one run or of one content in one second: it is the name of the first.
pub fn derived(integer: u32, content: &Digest, run: Option<RunId>, registered: Timestamp) -> Vec<(Naming, String)> {
    let time = jiff::Timestamp::from_microsecond(registered.micros()).ok().map(|time| time.strftime("%Y%m%d%H%M%S"));
    // a clock before the year 0 gives no such name
    let time = time.map(|time| time.to_string()).filter(|time| is_digits(time) && time.len() == TIME_DIGITS);
    let hash = &content.hex()[..HASH_DIGITS];
    let names = [
        Some((Naming::Integer, integer.to_string())),
        time.map(|time| (Naming::TimestampHash, format!("v{time}_{hash}"))),
        run.map(|run| (Naming::Run, format!("{RUN_PREFIX}{run}"))),
    ];
    names.into_iter().flatten().collect()
}

/// Whether a name that follows from a registration could read so, of whatever version.
pub fn form(text: &str) -> Option<Naming> {
    if is_digits(text) {
        return Some(Naming::Integer);
    }
    if text.strip_prefix(RUN_PREFIX).is_some_and(|run| run.parse::<RunId>().is_ok()) {
        return Some(Naming::Run);
    }
    let (time, hash) = text.strip_prefix('v')?.split_once('_')?;
    let is_hash = hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_digits(time) && time.len() == TIME_DIGITS && is_hash).then_some(Naming::TimestampHash)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_follow_from_a_registration() {
        let run = RunId::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
        // 2026-11-30T23:12:00.999999Z
        let names = derived(7, &Digest::of(b""), Some(run), Timestamp(1_796_080_320_999_999));
        let expected = [
            (Naming::Integer, "7".to_owned()),
            (Naming::TimestampHash, "v20261130231200_af1349b9".to_owned()),
            (Naming::Run, "run_01900000000070008000000000000001".to_owned()),
        ];
        assert_eq!(names, expected);
        assert_eq!(derived(1, &Digest::of(b""), None, Timestamp(i64::MIN)).len(), 1);
    }

    #[test]
    fn semantic_versions_are_read_and_ordered_as_their_standard_says() {
        let read = |text: &str| text.parse::<SemverName>();
        for (text, written) in [
            ("1.4.0", "v1.4.0"),
            ("v1.4.0", "v1.4.0"),
            ("2.0.0-rc.1", "v2.0.0-rc.1"),
            ("v1.0.0-alpha+001", "v1.0.0-alpha+001"),
        ] {
            assert_eq!(read(text).unwrap().to_string(), written);
        }
        for text in ["", "v", "1.4", "1.4.0.0", "01.4.0", "V1.4.0", "vv1.4.0", "1.4.0-", "1.4.0 ", "1.4.0-é"] {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert!(read(&format!("1.0.0-{}", "a".repeat(300))).is_err());
        // the order of https://semver.org/spec/v2.0.0.html, item 11
        let order = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "2.0.0",
            "2.1.0",
            "2.1.1",
        ];
        for pair in order.windows(2) {
            assert_eq!(read(pair[0]).unwrap().precedence(&read(pair[1]).unwrap()), Ordering::Less, "{pair:?}");
        }
        assert_eq!(read("1.0.0+a").unwrap().precedence(&read("1.0.0+b").unwrap()), Ordering::Equal);
    }

    #[test]
    fn what_breaks_callers_is_another_major_version() {
        let read = |text: &str| text.parse::<SemverName>().unwrap();
        for (new, old, breaks) in [
            ("2.0.0", "1.9.3", true),
            ("1.9.4", "1.9.3", false),
            ("0.3.0", "0.2.9", true),
            ("0.2.10", "0.2.9", false),
            ("1.0.0", "0.9.0", true),
            ("1.0.0", "2.0.0", false),
        ] {
            assert_eq!(read(new).breaks(&read(old)), breaks, "{new} {old}");
        }
        assert_eq!(read("1.9.3").next_breaking().to_string(), "v2.0.0");
        assert_eq!(read("0.2.9").next_breaking().to_string(), "v0.3.0");
    }

    #[test]
    fn the_stored_form_is_frozen() {
        let label = r#"{"scheme":"label","name":"spring"}"#;
        let name: GivenName = serde_json::from_str(label).unwrap();
        assert_eq!((name.naming(), serde_json::to_string(&name).unwrap().as_str()), (Naming::Label, label));
        let semver = r#"{"scheme":"semver","name":"v1.4.0"}"#;
        let name: GivenName = serde_json::from_str(semver).unwrap();
        assert_eq!((name.label(), serde_json::to_string(&name).unwrap().as_str()), (None, semver));
        for naming in Naming::ALL {
            assert_eq!(serde_json::to_value(naming).unwrap(), naming.as_str());
            assert_eq!(Naming::parse(naming.as_str()), Some(naming));
        }
    }

    proptest! {
        #[test]
        fn whatever_follows_is_known_by_its_form(integer: u32, content: Vec<u8>, run: u128, micros: i64) {
            let run = RunId::from_u128(run);
            for (naming, name) in derived(integer, &Digest::of(&content), Some(run), Timestamp(micros)) {
                prop_assert_eq!(form(&name), Some(naming), "{}", name);
            }
        }

        #[test]
        fn a_semantic_version_that_is_read_is_written_the_same(
            text in "v?[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}([-+][0-9a-z.]{1,9})?",
        ) {
            if let Ok(name) = text.parse::<SemverName>() {
                let written = name.to_string();
                prop_assert_eq!(written.parse::<SemverName>().unwrap(), name);
                prop_assert_eq!(written.trim_start_matches('v'), text.trim_start_matches('v'));
                prop_assert_eq!(form(&written), None);
            }
        }
    }
}
