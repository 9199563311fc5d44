//! Which version of data is meant: by number (`name@3`) or by time (`name@{2026-03-01}`).

use std::{fmt, str::FromStr};

use crate::{Problem, Timestamp, written_time::WrittenTime};

/// A version of data, as people name it behind `@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Number(u32),
    /// The version that was current then. A date without a time means the end of that day, a time without a zone is UTC.
    Time(Timestamp),
}

/// What is in front of the `@`, and the version; none if the text names none.
///
/// A name or path may hold an `@` itself: only what ends like a version counts as one.
pub fn split(text: &str) -> Result<(&str, Option<At>), Problem> {
    match text.rsplit_once('@') {
        Some((subject, at)) if !subject.is_empty() && looks_like_a_version(at) => Ok((subject, Some(at.parse()?))),
        _ => Ok((text, None)),
    }
}

fn looks_like_a_version(text: &str) -> bool {
    text.starts_with('{') || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

impl FromStr for At {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if let Some(rest) = text.strip_prefix('{') {
            let invalid = || {
                Problem::invalid(format!("`@{text}` is not a time"))
                    .hint("write a date or a time, as in `@{2026-03-01}` or `@{2026-03-01T12:30:00Z}`")
            };
            let written = WrittenTime::parse(rest.strip_suffix('}').ok_or_else(invalid)?).ok_or_else(invalid)?;
            return Ok(Self::Time(written.last()));
        }
        text.parse().map(Self::Number).map_err(|_| {
            Problem::invalid(format!("`@{text}` is not a version of data"))
                .hint("versions are numbers, as in `german-credit@3`, or times, as in `german-credit@{2026-03-01}`")
        })
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Time(time) => write!(f, "{{{time}}}"),
        }
    }
}

/// The last of the versions, given in their order with their times, that had begun at a time.
///
/// Order counts, not the clock: after a clock was set back the later version is still the later one.
pub fn current_at<T>(versions: impl IntoIterator<Item = (Timestamp, T)>, time: Timestamp) -> Option<T> {
    versions.into_iter().filter(|(since, _)| *since <= time).last().map(|(_, version)| version)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn versions_are_numbers_or_times() {
        for (text, subject, version) in [
            ("data.csv@3", "data.csv", Some(At::Number(3))),
            ("data.csv", "data.csv", None),
            ("a@b/data.csv", "a@b/data.csv", None),
            ("ada@example.org@2", "ada@example.org", Some(At::Number(2))),
            ("model@champion", "model@champion", None),
            ("x@{2026-03-01}", "x", Some(At::Time(at("2026-03-01T23:59:59.999999Z")))),
            ("x@{2026-03-01T12:30}", "x", Some(At::Time(at("2026-03-01T12:30:00Z")))),
            ("x@{ 2026-03-01T12:00:00+02:00 }", "x", Some(At::Time(at("2026-03-01T10:00:00Z")))),
            ("@3", "@3", None),
        ] {
            assert_eq!(split(text).unwrap(), (subject, version), "{text}");
        }
        for text in [
            "x@{}",
            "x@{yesterday}",
            "x@{2026-02-30}",
            "x@{2026-03-01",
            "x@99999999999",
            "x@{2026-03-01}}",
            "x@{2026-03-01T12:30[Europe/Berlin]}",
        ] {
            let problem = split(text).unwrap_err();
            assert!(problem.hint.unwrap().contains("@{2026-03-01}"), "{text}");
        }
    }

    #[test]
    fn the_version_of_a_time_is_the_last_one_that_had_begun() {
        let versions = || [(Timestamp(10), 1), (Timestamp(30), 2), (Timestamp(20), 3)];
        let found = [5, 10, 19, 25, 35].map(|time| current_at(versions(), Timestamp(time)));
        assert_eq!(found, [None, Some(1), Some(1), Some(3), Some(3)]);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_what_is_shown_is_read(text in "\\PC{0,40}", micros in 0..4_102_444_800_000_000_i64) {
            let _ = split(&text);
            let _ = split(&format!("x@{{{text}}}"));
            let shown = format!("x@{}", At::Time(Timestamp(micros)));
            prop_assert_eq!(split(&shown).unwrap(), ("x", Some(At::Time(Timestamp(micros)))));
        }
    }
}
