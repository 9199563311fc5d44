//! Times as people write them: a date, or a date and a time, with or without a zone.
//!
//! The one parser for all of them. What names no zone is UTC, on every machine: `stemma.toml` and the names of versions
//! are shared, and must not mean something else at another desk or on the server. So no time falls into the hour that
//! a clock leaves out or has twice.

use jiff::{civil, tz::TimeZone};

use crate::Timestamp;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A time as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenTime {
    /// A whole day of UTC, by its first moment.
    Day(Timestamp),
    Moment(Timestamp),
}

impl WrittenTime {
    /// Reads `2026-03-01`, `2026-03-01T12:30` and RFC 3339 (`2026-03-01T12:30:00+02:00`); a space does for the `T`.
    ///
    /// A zone's name (`[Europe/Berlin]`) is not read: it would be the rules of this machine's time zones that count.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.contains('[') {
            return None;
        }
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Some(Self::Moment(Timestamp(instant.as_microsecond())));
        }
        if text.contains(['T', 't', ' ']) {
            return in_utc(text.parse().ok()?).map(Self::Moment);
        }
        let date: civil::Date = text.parse().ok()?;
        in_utc(date.into()).map(Self::Day)
    }

    /// The first moment of it.
    pub const fn start(self) -> Timestamp {
        match self {
            Self::Day(time) | Self::Moment(time) => time,
        }
    }

    /// The last moment of it: of a time, itself.
    pub const fn last(self) -> Timestamp {
        match self {
            Self::Day(Timestamp(start)) => Timestamp(start.saturating_add(MICROS_PER_DAY - 1)),
            Self::Moment(time) => time,
        }
    }

    /// When something is over that lasts until it: a date lasts the day, a time is the end itself.
    pub const fn end(self) -> Timestamp {
        match self {
            Self::Day(Timestamp(start)) => Timestamp(start.saturating_add(MICROS_PER_DAY)),
            Self::Moment(time) => time,
        }
    }
}

impl Timestamp {
    /// Reads a time as [`WrittenTime`] does; a date is its first moment.
    pub fn parse(text: &str) -> Option<Self> {
        WrittenTime::parse(text).map(WrittenTime::start)
    }
}

fn in_utc(time: civil::DateTime) -> Option<Timestamp> {
    Some(Timestamp(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_names_no_zone_is_utc_and_a_date_is_a_day() {
        for (text, start, last, end) in [
            ("2026-03-01", "2026-03-01T00:00:00Z", "2026-03-01T23:59:59.999999Z", "2026-03-02T00:00:00Z"),
            ("20260301", "2026-03-01T00:00:00Z", "2026-03-01T23:59:59.999999Z", "2026-03-02T00:00:00Z"),
            (" 2024-12-31 ", "2024-12-31T00:00:00Z", "2024-12-31T23:59:59.999999Z", "2025-01-01T00:00:00Z"),
            // in Berlin and New York these are in the night when clocks are set forward
            ("2026-03-29T02:30", "2026-03-29T02:30:00Z", "2026-03-29T02:30:00Z", "2026-03-29T02:30:00Z"),
            ("2026-03-08 02:30:15", "2026-03-08T02:30:15Z", "2026-03-08T02:30:15Z", "2026-03-08T02:30:15Z"),
            ("2026-03-01T12:30:00.25", "2026-03-01T12:30:00.25Z", "2026-03-01T12:30:00.25Z", "2026-03-01T12:30:00.25Z"),
            ("2026-03-01T00:00", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            ("2026-03-01T12:30Z", "2026-03-01T12:30:00Z", "2026-03-01T12:30:00Z", "2026-03-01T12:30:00Z"),
            ("2026-03-01T12:30+02:00", "2026-03-01T10:30:00Z", "2026-03-01T10:30:00Z", "2026-03-01T10:30:00Z"),
            ("2026-03-01t00:30:00-05:30", "2026-03-01T06:00:00Z", "2026-03-01T06:00:00Z", "2026-03-01T06:00:00Z"),
        ] {
            let written = WrittenTime::parse(text).unwrap_or_else(|| panic!("{text}"));
            let shown = [written.start(), written.last(), written.end()].map(|time| time.to_string());
            assert_eq!(shown, [start, last, end], "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-13-01",
            "2026-3-1",
            "2026-03-01T",
            "2026-03-01T25:00",
            "2026-03-01T12:30[Europe/Berlin]",
            "2026-03-01T12:30+01:00[Europe/Berlin]",
            "2026-03-01 noon",
            "1767225600",
        ] {
            assert_eq!(WrittenTime::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_shown_time_is_read_as_it_was(micros in -60_000_000_000_000_000_i64..250_000_000_000_000_000) {
            let time = Timestamp(micros);
            prop_assert_eq!(WrittenTime::parse(&time.to_string()), Some(WrittenTime::Moment(time)));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = WrittenTime::parse(&text);
        }
    }
}
