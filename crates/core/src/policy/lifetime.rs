//! For how long something counts, as in `30d`.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Timestamp;

const HOUR_MICROS: i64 = 3_600_000_000;
/// Ten years: what counts for longer counts for ever.
const HOURS_MAX: u32 = 10 * 366 * 24;

/// How long an approval or evidence counts after it was given: hours, days or weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime {
    hours: u32,
}

impl Lifetime {
    /// Whether what was given at a time does not count any more.
    ///
    /// At the very end it still counts. What seems to be given later than now counts: clocks differ a little.
    pub const fn is_over(self, given: Timestamp, now: Timestamp) -> bool {
        now.micros().saturating_sub(given.micros()) > self.hours as i64 * HOUR_MICROS
    }
}

/// A text that is no lifetime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not how long something counts; write hours, days or weeks as in `12h`, `30d` or `8w`, at most ten years"
)]
pub struct NoLifetime(String);

impl FromStr for Lifetime {
    type Err = NoLifetime;

    fn from_str(text: &str) -> Result<Self, NoLifetime> {
        let wrong = || NoLifetime(text.chars().take(40).collect());
        let unit = text.chars().last().ok_or_else(wrong)?;
        let hours = match unit {
            'h' => 1,
            'd' => 24,
            'w' => 7 * 24,
            _ => return Err(wrong()),
        };
        let digits = &text[..text.len() - 1];
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let hours = digits.parse::<u32>().ok().and_then(|count| count.checked_mul(hours));
        match hours.filter(|hours| (1..=HOURS_MAX).contains(hours)) {
            Some(hours) => Ok(Self { hours }),
            None => Err(wrong()),
        }
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hours {
            hours if hours % 24 == 0 => write!(f, "{}d", hours / 24),
            hours => write!(f, "{hours}h"),
        }
    }
}

impl Serialize for Lifetime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Lifetime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Lifetime".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+[hdw]$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_read_and_written() {
        for (text, written) in [("12h", "12h"), ("30d", "30d"), ("8w", "56d"), ("48h", "2d"), ("87840h", "3660d")] {
            assert_eq!(text.parse::<Lifetime>().unwrap().to_string(), written);
        }
        for text in ["", "d", "30", "0d", "-1d", "+1d", "1.5d", "1y", "3661d", "4294967295w", "٣d", "1é"] {
            assert!(text.parse::<Lifetime>().is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_over_after_its_last_moment() {
        let hour: Lifetime = "1h".parse().unwrap();
        for (now, is_over) in [(0, false), (HOUR_MICROS, false), (HOUR_MICROS + 1, true), (-5, false), (i64::MAX, true)]
        {
            assert_eq!(hour.is_over(Timestamp(0), Timestamp(now)), is_over, "{now}");
        }
        assert!(hour.is_over(Timestamp(i64::MIN), Timestamp(i64::MAX)));
    }
}
