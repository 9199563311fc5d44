//! Dates and times, whole: no unit is rounded to another, and no year is out of range.

use std::fmt;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i128 = 86_400;

/// A time as a table holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Days since 1970-01-01.
    Date(i64),
    /// Since the beginning of 1970: in UTC if it has a zone, else where the clock hung.
    Instant {
        nanos: i128,
        has_zone: bool,
    },
    /// Since midnight.
    OfDay {
        nanos: i128,
    },
    Duration {
        nanos: i128,
    },
    /// Months, days and nanoseconds are not each other's multiples.
    Interval {
        months: i32,
        days: i32,
        nanos: i64,
    },
}

impl Time {
    /// Reads ISO 8601 as it is usually written: `2024-03-01`, `2024-03-01 12:30`, `2024-03-01T12:30:00.5+01:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let date = text.get(..10).filter(|_| text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-')?;
        let days = days(digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..])?)?;
        let Some(rest) = text.get(10..).filter(|rest| !rest.is_empty()) else {
            return Some(Self::Date(days.into()));
        };
        let clock = rest.strip_prefix(['T', 't', ' '])?;
        let at = clock.find(['Z', 'z', '+', '-']);
        let (clock, zone) = clock.split_at(at.unwrap_or(clock.len()));
        let offset = if zone.is_empty() { 0 } else { offset(zone)? };
        let seconds = i128::from(days) * SECONDS_PER_DAY - i128::from(offset);
        Some(Self::Instant { nanos: seconds * NANOS_PER_SECOND + of_day(clock.trim_end())?, has_zone: at.is_some() })
    }

    /// A number that the same moments share, however they are written: a date is its midnight.
    pub(crate) fn nanos(&self) -> Option<i128> {
        match *self {
            Self::Date(days) => Some(i128::from(days) * SECONDS_PER_DAY * NANOS_PER_SECOND),
            Self::Instant { nanos, .. } => Some(nanos),
            _ => None,
        }
    }
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` if there is no such day.
fn days(year: u32, month: u32, day: u32) -> Option<i32> {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let length = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // years begin in March, so that the odd day is the last one
    let (year, month) = if month > 2 { (year as i32, month as i32 - 3) } else { (year as i32 - 1, month as i32 + 9) };
    let before = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // days from 0000-03-01 to 1970-01-01
    Some(before + (153 * month + 2) / 5 + day as i32 - 1 - 719_468)
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone {
        "Z" | "z" => return Some(0),
        zone if zone.starts_with('-') => -1,
        _ => 1,
    };
    let digits: String = zone[1..].chars().filter(|character| *character != ':').collect();
    let number: i64 = self::digits(&digits)?.into();
    match digits.len() {
        2 => Some(sign * number * 3600),
        4 => Some(sign * (number / 100 * 3600 + number % 100 * 60)),
        _ => None,
    }
}

/// Nanoseconds of `12:30`, `12:30:00`, `12:30:00.123456789`.
fn of_day(clock: &str) -> Option<i128> {
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':');
    let mut part = |most: u32| parts.next().map_or(Some(0), |part| digits(part).filter(|value| *value <= most));
    let (hours, minutes, seconds) = (part(24)?, part(59)?, part(60)?);
    if parts.next().is_some() || !clock.contains(':') || fraction.len() > 9 {
        return None;
    }
    let nanos = if fraction.is_empty() { 0 } else { digits(&format!("{fraction:0<9}"))? };
    let whole = i128::from(hours) * 3600 + i128::from(minutes) * 60 + i128::from(seconds);
    Some(whole * NANOS_PER_SECOND + i128::from(nanos))
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Date(days) => write_date(f, days.into()),
            Self::Instant { nanos, has_zone } => {
                let (seconds, fraction) = (nanos.div_euclid(NANOS_PER_SECOND), nanos.rem_euclid(NANOS_PER_SECOND));
                write_date(f, seconds.div_euclid(SECONDS_PER_DAY))?;
                f.write_str("T")?;
                write_clock(f, seconds.rem_euclid(SECONDS_PER_DAY) * NANOS_PER_SECOND + fraction)?;
                f.write_str(if has_zone { "Z" } else { "" })
            }
            Self::OfDay { nanos } => write_clock(f, nanos),
            Self::Duration { nanos } => {
                let sign = if nanos < 0 { "-" } else { "" };
                let size = nanos.abs();
                write!(f, "{sign}PT{}", size / NANOS_PER_SECOND)?;
                write_fraction(f, size % NANOS_PER_SECOND)?;
                f.write_str("S")
            }
            Self::Interval { months, days, nanos } => write!(f, "{months} months {days} days {nanos} ns"),
        }
    }
}

fn write_date(f: &mut fmt::Formatter<'_>, days: i128) -> fmt::Result {
    // days from 0000-03-01, in eras of 400 years
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    write!(f, "{:04}-{month:02}-{day:02}", year_of_era + era * 400 + next)
}

fn write_clock(f: &mut fmt::Formatter<'_>, nanos: i128) -> fmt::Result {
    let seconds = nanos.div_euclid(NANOS_PER_SECOND);
    write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    write_fraction(f, nanos.rem_euclid(NANOS_PER_SECOND))
}

/// As many digits as it takes.
fn write_fraction(f: &mut fmt::Formatter<'_>, nanos: i128) -> fmt::Result {
    match nanos {
        0 => Ok(()),
        nanos => f.write_str(format!(".{nanos:09}").trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str) {
        assert_eq!(Time::parse(text).unwrap().to_string(), shown);
    }

    #[test]
    fn times_are_read_and_written_whole() {
        check("1970-01-01", "1970-01-01");
        check("2024-02-29", "2024-02-29");
        check("0001-01-01", "0001-01-01");
        check("9999-12-31 23:59:59.999999999", "9999-12-31T23:59:59.999999999");
        check("1969-12-31T23:59:59.5", "1969-12-31T23:59:59.5");
        check("2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00Z");
        check("2024-03-01 12:30Z", "2024-03-01T12:30:00Z");
        check("2024-03-01 12:30:00-0330", "2024-03-01T16:00:00Z");
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in ["", "2024", "2024-13-01", "2023-02-29", "2024-03-01x", "2024-03-01 12", "2024/03/01", "ä024-03-01"]
        {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_is_its_midnight() {
        let same = |one: &str, other: &str| Time::parse(one).unwrap().nanos() == Time::parse(other).unwrap().nanos();
        assert!(same("2024-03-01", "2024-03-01 00:00:00"));
        assert!(same("2024-03-01T00:00Z", "2024-03-01 00:00"));
        assert!(!same("2024-03-01 00:00:00.000000001", "2024-03-01"));
    }
}
