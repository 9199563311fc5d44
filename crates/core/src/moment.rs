//! A moment that is asked about: after an event, or at a time.

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Problem, Timestamp, written_time::WrittenTime};

/// When something is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// After the event of this number.
    After(u64),
    /// After all that is stamped no later. A date means the end of that day, a time without a zone is UTC.
    At(Timestamp),
}

impl FromStr for Moment {
    type Err = Problem;

    /// Digits alone are the number of an event; everything else is a time.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let invalid = || {
            Problem::invalid(format!("`{text}` is neither a time nor the number of an event"))
                .hint("write it as `2026-03-03T14:00`, `2026-03-03` (the end of that day), or `512`; what names no zone is UTC")
        };
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::After).map_err(|_| invalid());
        }
        WrittenTime::parse(text).map(|time| Self::At(time.last())).ok_or_else(invalid)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(seq) => write!(f, "{seq}"),
            Self::At(time) => write!(f, "{time}"),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|problem: Problem| serde::de::Error::custom(problem.message))
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "the number of an event, a time, or a date: the end of that day in UTC" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_numbers_of_events_or_times() {
        let at = |text: &str| Moment::At(Timestamp::parse(text).unwrap());
        for (text, expected) in [
            ("512", Moment::After(512)),
            (" 0 ", Moment::After(0)),
            // eight digits are a number too: an event of that number can't be named otherwise
            ("20260303", Moment::After(20_260_303)),
            ("2026-03-03", at("2026-03-03T23:59:59.999999Z")),
            ("2026-03-03T14:00", at("2026-03-03T14:00:00Z")),
            ("2026-03-03 14:00:00+02:00", at("2026-03-03T12:00:00Z")),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment, expected, "{text}");
            assert_eq!(moment.to_string().parse::<Moment>().unwrap(), moment, "{text}");
        }
        for text in ["", "-1", "yesterday", "99999999999999999999", "2026-02-30", "2026-03-03T14:00[Europe/Berlin]"] {
            let problem = text.parse::<Moment>().unwrap_err();
            assert!(problem.message.contains("neither a time nor") && problem.hint.is_some(), "{text}");
        }
    }
}
